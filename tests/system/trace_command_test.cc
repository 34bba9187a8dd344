// phalanx trace, on real runs: the file that a user opens, read with the classes of its schema.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <map>
#include <set>

#include "launcher/trace/perfetto.pb.h"
#include "tests/system/run.h"

namespace phalanx::system_test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Names = std::vector<std::string>;

const Arguments kTwoNodes = {"--launch.emulate_nodes=2", "--launch.ranks_per_node=2",
                             "--train.steps=1000000", "--checkpoint.every=1000000",
                             "--data.validation.every=0"};

struct Slice {
  std::string process, track, name, category;
  std::uint64_t begin = 0, end = 0;
  std::map<std::string, std::int64_t> notes;
  std::set<std::uint64_t> flows;
};

// What Perfetto makes of a file: slices, in the order of their begins. Fails for events that do not
// pair up or go back in time on their track.
std::vector<Slice> slices_of(const fs::path& path) {
  perfetto::Trace trace;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(trace.ParseFromIstream(&file)) << path;
  std::map<std::uint64_t, std::pair<std::string, std::string>> tracks;  // process and name
  std::map<int, std::string> processes;
  std::map<std::uint64_t, std::vector<Slice>> open;
  std::map<std::uint64_t, std::uint64_t> newest;
  std::vector<Slice> slices;
  for (const auto& packet : trace.packet()) {
    EXPECT_GT(packet.trusted_packet_sequence_id(), 0u);
    if (packet.has_track_descriptor()) {
      const auto& track = packet.track_descriptor();
      if (track.has_process()) {
        EXPECT_TRUE(
            processes.emplace(track.process().pid(), track.process().process_name()).second);
        tracks[track.uuid()] = {track.process().process_name(), ""};
      } else if (track.has_thread()) {
        tracks[track.uuid()] = {processes.at(track.thread().pid()), track.thread().thread_name()};
      } else {
        tracks[track.uuid()] = {tracks.at(track.parent_uuid()).first, track.name()};
      }
      continue;
    }
    const auto& event = packet.track_event();
    auto& stack = open[event.track_uuid()];
    EXPECT_GE(packet.timestamp(), newest[event.track_uuid()]);
    newest[event.track_uuid()] = packet.timestamp();
    if (event.type() == perfetto::TrackEvent::TYPE_SLICE_BEGIN) {
      const auto& [process, track] = tracks.at(event.track_uuid());
      stack.push_back({process, track, event.name(), event.categories(0), packet.timestamp()});
      for (const auto& note : event.debug_annotations())
        stack.back().notes[note.name()] = note.int_value();
    }
    if (stack.empty()) {
      ADD_FAILURE() << "an end without a begin at " << packet.timestamp();
      continue;
    }
    stack.back().flows.insert(event.flow_ids().begin(), event.flow_ids().end());
    if (event.type() == perfetto::TrackEvent::TYPE_SLICE_END) {
      stack.back().end = packet.timestamp();
      slices.push_back(std::move(stack.back()));
      stack.pop_back();
    }
  }
  for (const auto& [track, stack] : open) EXPECT_TRUE(stack.empty()) << "a slice without an end";
  std::ranges::stable_sort(slices, {}, &Slice::begin);
  return slices;
}

std::vector<Slice> only(const std::vector<Slice>& slices, const std::string& category,
                        const std::string& process) {
  std::vector<Slice> found;
  for (const auto& slice : slices)
    if (slice.category == category && slice.process == process) found.push_back(slice);
  return found;
}

const Names kRanks = {"rank 0 (node 0)", "rank 1 (node 0)", "rank 2 (node 1)", "rank 3 (node 1)"};

// Every rank has exactly these steps, each with its phases in order and within it.
void expect_steps(const std::vector<Slice>& slices, std::int64_t first, std::int64_t last) {
  for (const auto& rank : kRanks) {
    const auto steps = only(slices, "step", rank), phases = only(slices, "phase", rank);
    ASSERT_EQ(static_cast<std::int64_t>(steps.size()), last - first + 1) << rank;
    for (const auto& step : steps) {
      EXPECT_EQ(step.name, "step " + std::to_string(first + (&step - steps.data())));
      EXPECT_EQ(step.track, "main thread");
      Names names;
      for (const auto& phase : phases)
        if (phase.begin >= step.begin && phase.end <= step.end) names.push_back(phase.name);
      EXPECT_EQ(names, (Names{"data", "forward", "backward", "exposed communication", "optimizer"}))
          << rank << ", " << step.name;
    }
    EXPECT_EQ(phases.size(), 5 * steps.size()) << "phases of no step, " << rank;
  }
}

// Each collective of those steps is on all ranks, joined by a flow, and nobody left before all
// came.
void expect_collectives(const std::vector<Slice>& slices, std::int64_t first, std::int64_t last) {
  std::map<std::uint64_t, std::vector<Slice>> flows;
  std::map<std::string, int> of_rank;
  for (const auto& slice : slices) {
    EXPECT_EQ(slice.flows.size(), slice.category == "collective" ? 1u : 0u) << slice.name;
    if (slice.category != "collective") continue;
    EXPECT_EQ(slice.track, "group " + std::to_string(slice.notes.at("group")) + ": collectives");
    EXPECT_GE(slice.notes.at("step"), first);
    EXPECT_LE(slice.notes.at("step"), last);
    EXPECT_GT(slice.notes.at("bytes"), 0);
    EXPECT_LE(slice.notes.at("group"), 1);  // of all ranks, and of the replicas of the state
    EXPECT_GE(slice.notes.at("waited_for_its_turn_ns"), 0);
    flows[*slice.flows.begin()].push_back(slice);
  }
  EXPECT_GE(static_cast<std::int64_t>(flows.size()), 2 * (last - first + 1));
  for (const auto& [id, ends] : flows) {
    std::set<std::string> processes;
    for (const auto& end : ends) {
      processes.insert(end.process);
      EXPECT_EQ(end.name, ends[0].name);
      EXPECT_EQ(end.notes.at("sequence"), ends[0].notes.at("sequence"));
      EXPECT_EQ(end.notes.at("step"), ends[0].notes.at("step"));
      for (const auto& other : ends)
        EXPECT_LE(other.begin, end.end) << end.process << " left before " << other.process;
    }
    EXPECT_EQ(ends.size(), kRanks.size());
    EXPECT_EQ(processes, std::set<std::string>(kRanks.begin(), kRanks.end()));
  }
}

void expect_no_folder_left(const LiveRun& run) {
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(run.output() / "trace", missing))
    EXPECT_FALSE(entry.is_directory()) << entry.path();
}

TEST(TraceCommand, ShowsTheStepsOfAllRanksWithTheirCollectives) {
  Workshop workshop;
  LiveRun run(workshop, "run", kTwoNodes);
  ASSERT_TRUE(run.await_step(3));
  const auto outcome = workshop.phalanx({"trace", run.output(), "--steps=4", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto json = Json::parse(outcome.output);
  const std::int64_t first = json["first_step"], last = json["last_step"];
  EXPECT_GT(first, 3);
  EXPECT_EQ(last, first + 3);
  EXPECT_EQ(json["ranks"], 4);
  EXPECT_EQ(json["dropped_spans"], 0);
  EXPECT_EQ(json["clocks"], 1) << "emulated nodes share one";
  const auto slices = slices_of(json["file"].get<std::string>());
  expect_steps(slices, first, last);
  expect_collectives(slices, first, last);
  expect_no_folder_left(run);
}

TEST(TraceCommand, ShowsValidationAndSnapshotsInTheStepsThatHaveThem) {
  Workshop workshop;
  LiveRun run(workshop, "run",
              {"--train.steps=1000000", "--data.validation.every=3", "--checkpoint.every=5",
               "--checkpoint.keep=1"});
  ASSERT_TRUE(run.await_step(1));
  const auto outcome = workshop.phalanx({"trace", run.output(), "--steps=15", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto slices = slices_of(Json::parse(outcome.output)["file"].get<std::string>());
  for (const auto& step : only(slices, "step", "rank 3 (node 0)")) {
    const auto number = std::stoll(step.name.substr(5));
    Names expected, names;
    if (number % 3 == 0) expected.emplace_back("validation");
    if (number % 5 == 0) expected.emplace_back("snapshot");
    for (const auto& phase : only(slices, "phase", step.process))
      if (phase.begin >= step.begin && phase.end <= step.end) names.push_back(phase.name);
    ASSERT_GE(names.size(), 5u);
    EXPECT_EQ(names[4], "optimizer");
    EXPECT_EQ(Names(names.begin() + 5, names.end()), expected) << step.name;
  }
}

TEST(TraceCommand, TakesTheStepsThatAreChosen) {
  Workshop workshop;
  LiveRun run(workshop, "run", kTwoNodes);
  ASSERT_TRUE(run.await_step(1));
  const std::int64_t from = run.last_step() + 200;
  const auto file = workshop.path() / "chosen.pftrace";
  const auto outcome = workshop.phalanx({"trace", run.output(), "--from=" + std::to_string(from),
                                         "--steps=2", "--output=" + file.string()});
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.errors, testing::Not(HasSubstr("warning")));
  EXPECT_THAT(outcome.output, HasSubstr("of 4 ranks"));
  expect_steps(slices_of(file), from, from + 1);
  const auto over = workshop.phalanx({"trace", run.output(), "--from=1"});
  EXPECT_EQ(over.code, 2);
  EXPECT_THAT(over.errors, HasSubstr("to 1000000, found 1\nhelp: "));
}

TEST(TraceCommand, AsksTheNextGenerationWhenARankDiesOnTheWay) {
  Workshop workshop;
  LiveRun run(workshop, "run", kTwoNodes);
  const auto workers = run.training_workers();
  ASSERT_EQ(workers.size(), 4u);
  auto trace = std::async(std::launch::async, [&] {
    return workshop.phalanx({"trace", run.output(), "--steps=800", "--json"});
  });
  ASSERT_TRUE(run.await_event("trace_requested"));
  ::kill(workers[2].pid, SIGKILL);
  const auto outcome = trace.get();
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto json = Json::parse(outcome.output);
  EXPECT_EQ(json["generation"], 2);
  EXPECT_EQ(json["dropped_spans"], 0);
  expect_steps(slices_of(json["file"].get<std::string>()), json["first_step"], json["last_step"]);
  expect_no_folder_left(run);
}

TEST(TraceCommand, OutlivesTheControllerAndAnAgent) {
  Workshop workshop;
  LiveRun run(workshop, "run", kTwoNodes);
  ASSERT_TRUE(run.await_step(1));
  auto trace = std::async(std::launch::async, [&] {
    return workshop.phalanx({"trace", run.output(), "--steps=500", "--json"});
  });
  ASSERT_TRUE(run.await_event("trace_requested"));
  ::kill(run.find("phalanx-agent"), SIGKILL);
  ::kill(run.find("phalanx-control"), SIGKILL);
  const auto outcome = trace.get();
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto json = Json::parse(outcome.output);
  EXPECT_EQ(json["generation"], 1);
  expect_steps(slices_of(json["file"].get<std::string>()), json["first_step"], json["last_step"]);
}

TEST(TraceCommand, SaysThatTheRunEndedBeforeAllSteps) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.steps=1500", "--checkpoint.every=1000000"});
  ASSERT_TRUE(run.await_step(1));
  const auto outcome =
      workshop.phalanx({"trace", run.output(), "--from=1495", "--steps=100", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.errors, HasSubstr("warning: the run ended after 6 of 100 steps"));
  EXPECT_EQ(Json::parse(outcome.output)["last_step"], 1500);
  ASSERT_EQ(run.wait(), 0) << run.console();
  const auto over = workshop.phalanx({"trace", run.output()});
  EXPECT_EQ(over.code, 2);
  EXPECT_THAT(over.errors, HasSubstr("found one that is over: done at step 1500"));
  EXPECT_THAT(over.errors, HasSubstr("help: trace a run while it trains"));
  expect_nothing_left(workshop);
}

TEST(TraceCommand, LeavesNothingBehindWhenItIsInterrupted) {
  Workshop workshop;
  LiveRun run(workshop, "run", kTwoNodes);
  ASSERT_TRUE(run.await_step(1));
  auto trace = std::async(std::launch::async, [&] {
    return workshop.phalanx({"trace", run.output(), "--from=900000"});
  });
  ASSERT_TRUE(run.await_event("trace_requested"));
  for (const auto& process : workshop.processes())
    if (process.name == "phalanx" && process.pid != run.pid()) ::kill(process.pid, SIGINT);
  EXPECT_EQ(trace.get().code, 130);
  EXPECT_FALSE(fs::exists(run.output() / "trace"));
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(), 130);
}

}  // namespace
}  // namespace phalanx::system_test
