#include "launcher/trace/perfetto_file.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "launcher/trace/perfetto.pb.h"
#include "tests/trace/traced_ranks.h"

namespace phalanx::trace {
namespace {

using perfetto::TrackEvent;
using protocol::RankTrace;

perfetto::Trace file_of(const std::vector<RankTrace>& traces) {
  perfetto::Trace trace;
  EXPECT_TRUE(trace.ParseFromString(perfetto_file(traces, align_clocks(traces)).content));
  std::map<std::uint32_t, std::uint64_t> newest;  // of each writer
  for (const auto& packet : trace.packet()) {
    if (!packet.has_track_event()) continue;
    auto& before = newest[packet.trusted_packet_sequence_id()];
    EXPECT_LE(before, packet.timestamp()) << "events are in the order of their times";
    before = packet.timestamp();
  }
  return trace;
}

// "begin step 1", "end", ... of the track of that name.
std::vector<std::string> events_of(const perfetto::Trace& trace, const std::string& track) {
  std::uint64_t uuid = 0;
  std::vector<std::string> found;
  for (const auto& packet : trace.packet()) {
    const auto& descriptor = packet.track_descriptor();
    if (descriptor.name() == track || descriptor.thread().thread_name() == track)
      uuid = descriptor.uuid();
    if (!packet.has_track_event() || packet.track_event().track_uuid() != uuid) continue;
    const bool begins = packet.track_event().type() == TrackEvent::TYPE_SLICE_BEGIN;
    found.push_back(std::to_string(packet.timestamp()) +
                    (begins ? " begin " + packet.track_event().name() : " end"));
  }
  return found;
}

struct End {
  std::uint64_t time;
  TrackEvent::Type type;
  std::string process;
};
std::map<std::uint64_t, std::vector<End>> flows_of(const perfetto::Trace& trace) {
  std::map<std::uint64_t, std::string> processes;  // by track
  std::map<std::uint64_t, std::vector<End>> flows;
  for (const auto& packet : trace.packet()) {
    const auto& track = packet.track_descriptor();
    if (track.has_process()) processes[track.uuid()] = track.process().process_name();
    if (track.has_parent_uuid()) processes[track.uuid()] = processes.at(track.parent_uuid());
    for (const auto flow : packet.track_event().flow_ids())
      flows[flow].push_back({packet.timestamp(), packet.track_event().type(),
                             processes.at(packet.track_event().track_uuid())});
  }
  return flows;
}

TEST(PerfettoFile, NestsPhasesInTheirStepsAlsoWhereTheyTouch) {
  auto rank = traced_rank(0, 0, "a", 1000);
  add_phase(rank, "data", 10, 20, 7);
  add_phase(rank, "forward", 20, 20, 7);
  add_phase(rank, "backward", 20, 30, 7);
  add_phase(rank, "data", 30, 40, 8);
  EXPECT_EQ(events_of(file_of({rank}), "main thread"),
            (std::vector<std::string>{"1010 begin step 7", "1010 begin data", "1020 end",
                                      "1020 begin forward", "1020 end", "1020 begin backward",
                                      "1030 end", "1030 end", "1030 begin step 8",
                                      "1030 begin data", "1040 end", "1040 end"}));
}

TEST(PerfettoFile, LeadsFromASendToTheEndOfItsReceive) {
  auto sender = traced_rank(3, 1, "a"), receiver = traced_rank(5, 2, "a");
  for (const std::uint64_t sequence : {1, 2}) {
    const auto begin = static_cast<std::int64_t>(sequence) * 100;
    add_operation(sender, "send", sequence, begin, begin + 20).set_peer(5);
    add_operation(receiver, "receive", sequence, begin - 50, begin + 30).set_peer(3);
    // The other way with the same numbers, and to somebody who has written nothing down.
    add_operation(receiver, "send", sequence, begin + 40, begin + 50).set_peer(3);
    add_operation(sender, "receive", sequence, begin + 41, begin + 60).set_peer(5);
    add_operation(sender, "send", sequence, begin + 61, begin + 62).set_peer(4);
  }
  const auto trace = file_of({sender, receiver});
  const auto flows = flows_of(trace);
  ASSERT_EQ(flows.size(), 4u);
  for (const auto& [id, ends] : flows) {
    ASSERT_EQ(ends.size(), 2u);
    const auto& [from, to] =
        std::minmax(ends[0], ends[1], [](const End& a, const End& b) { return a.time < b.time; });
    EXPECT_EQ(from.type, TrackEvent::TYPE_SLICE_BEGIN);
    EXPECT_EQ(to.type, TrackEvent::TYPE_SLICE_END);
    EXPECT_NE(from.process, to.process);
    const bool forth = from.time % 100 == 0;
    EXPECT_EQ(from.process, forth ? "rank 3 (node 1)" : "rank 5 (node 2)");
    EXPECT_EQ(to.time - from.time, forth ? 30u : 20u);
  }
  EXPECT_EQ(events_of(trace, "group 0: from rank 3").size(), 4u);
}

TEST(PerfettoFile, LeadsThroughTheRanksOfACollective) {
  std::vector<RankTrace> ranks = {traced_rank(0, 0, "a"), traced_rank(1, 0, "a"),
                                  traced_rank(2, 1, "a")};
  for (auto& rank : ranks) {
    add_phase(rank, "backward", 50, 150);
    add_operation(rank, "all_reduce", 4, 100 - rank.rank(), 200);
    add_operation(rank, "all_reduce", 4, 100, 200).set_key(static_cast<std::uint64_t>(rank.rank()));
  }
  const auto flows = flows_of(file_of(ranks));
  ASSERT_EQ(flows.size(), 1u) << "other groups with the same number are other collectives";
  EXPECT_EQ(flows.begin()->second.size(), 3u);
  for (const auto& end : flows.begin()->second) EXPECT_EQ(end.type, TrackEvent::TYPE_SLICE_BEGIN);
}

}  // namespace
}  // namespace phalanx::trace
