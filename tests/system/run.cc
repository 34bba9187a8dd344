#include "tests/system/run.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <set>

#include "base/process.h"
#include "checkpoint/manifest.h"

namespace phalanx::system_test {
namespace {

namespace fs = std::filesystem;

constexpr auto kJob = R"(name: tiny
seed: 3
model: {preset: llama, layers: 2, width: 32, heads: 2, kv_heads: 1, ffn_width: 64, sequence_length: 32}
data:
  tokenizer: bytes
  train: [{path: train.tokens}]
  validation: {path: train.tokens, every: 4, batches: 1}
train: {steps: 40, global_batch: 8, micro_batch: 2, optimizer: {lr: 3e-3}}
checkpoint: {every: 10, keep: 3}
launch: {ranks_per_node: 4}
output: run
)";

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_documents(const fs::path& folder) {
  static const char* const kWords[] = {"rank ", "step ", "and ",   "marches ",
                                       "on ",   "when ", "falls\n"};
  fs::create_directories(folder);
  std::mt19937 random(1);
  for (int document = 0; document < 4; ++document) {
    std::ofstream file(folder / (std::to_string(document) + ".txt"));
    for (int word = 0; word < 4000; ++word) file << kWords[random() % std::size(kWords)];
  }
}

// A process in the workshop, with its output in files.
pid_t start_in(const Workshop& workshop, const std::string& program, const Arguments& arguments,
               const fs::path& output, const fs::path& errors) {
  const auto open = [](const fs::path& path) {
    return FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  };
  const FileDescriptor out = open(output), err = open(errors);
  const FileDescriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Command command;
  command.program = program;
  command.arguments = arguments;
  command.descriptors = {{0, nothing.get()}, {1, out.get()}, {2, err.get()}};
  command.environment = {{"PHALANX_TEST_WORKSHOP", workshop.path().string()},
                         {"PHALANX", PHALANX_PROGRAM},
                         {"TMPDIR", workshop.path() / "tmp"}};
  return start_process(command);
}

int code_of(const ExitStatus& status) {
  return status.signal == 0 ? status.code : 128 + status.signal;
}

}  // namespace

// ---------------------------------------------------------------- Workshop

Workshop::Workshop() {
  std::string name = (fs::temp_directory_path() / "phalanx-system.XXXXXX").string();
  path_ = ::mkdtemp(name.data());
  marker_ = "PHALANX_TEST_WORKSHOP=" + path_.string();
  write_documents(path_ / "text");
  fs::create_directories(path_ / "tmp");
  std::ofstream(job()) << kJob;
  const auto prepared = phalanx({"data", "prepare", path_ / "text", "--output",
                                 path_ / "train.tokens", "--pattern", "*.txt", "--threads", "1"});
  if (prepared.code != 0) throw std::runtime_error(prepared.errors);
}

Workshop::~Workshop() {
  // Only what a failed test has left.
  for (const auto& process : processes()) ::kill(process.pid, SIGKILL);
  (void)await([&] { return processes().empty(); }, 10);
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Outcome Workshop::phalanx(const Arguments& arguments) const {
  return outcome_of(PHALANX_PROGRAM, arguments);
}

Outcome Workshop::shell(const std::string& line) const {
  return outcome_of("/bin/sh", {"-c", line});
}

Outcome Workshop::outcome_of(const std::string& program, const Arguments& arguments) const {
  static int count = 0;
  const std::string stem = (path_ / ("command-" + std::to_string(++count))).string();
  Outcome outcome;
  outcome.code =
      code_of(wait_for(start_in(*this, program, arguments, stem + ".out", stem + ".err")));
  outcome.output = text_of(stem + ".out");
  outcome.errors = text_of(stem + ".err");
  return outcome;
}

// ---------------------------------------------------------------- LiveRun

LiveRun::LiveRun(const Workshop& workshop, std::string name, const Arguments& arguments)
    : workshop_(workshop), name_(std::move(name)) {
  static int count = 0;
  console_ = workshop_.path() / ("console-" + std::to_string(++count));
  Arguments all = {"run", workshop_.job(), "--output=" + output().string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  pid_ = start_in(workshop_, PHALANX_PROGRAM, all, console_, console_);
}

LiveRun::~LiveRun() {
  if (!ended()) {
    ::kill(pid_, SIGKILL);
    wait_for(pid_);
  }
}

void LiveRun::signal(int number) const { ::kill(pid_, number); }

bool LiveRun::ended() {
  if (code_ >= 0) return true;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

int LiveRun::wait(double seconds) {
  if (system_test::await([&] { return ended(); }, seconds)) return code_;
  ADD_FAILURE() << name_ << " has not ended; its console:\n" << console();
  return -1;
}

std::string LiveRun::console() const { return text_of(console_); }

bool LiveRun::await(const std::string& what, const std::function<bool()>& condition) {
  bool holds = false;  // what held once may hold no more a moment later
  (void)system_test::await([&] { return (holds = condition()) || ended(); }, 60);
  if (holds || condition()) return true;
  ADD_FAILURE() << name_ << ": waited in vain for " << what
                << (ended() ? "; it has ended with " + std::to_string(code_) : "")
                << "; its console:\n"
                << console();
  return false;
}

bool LiveRun::await_step(std::int64_t step) {
  return await("step " + std::to_string(step), [&] { return last_step() >= step; });
}

bool LiveRun::await_event(const std::string& kind, std::size_t count) {
  return await(kind, [&] { return events(kind).size() >= count; });
}

std::vector<Json> LiveRun::lines(const std::string& file) const {
  std::vector<Json> found;
  std::ifstream stream(output() / file);
  for (std::string line; std::getline(stream, line);) {
    if (stream.eof()) break;  // torn: it has no end yet
    found.push_back(Json::parse(line));
  }
  return found;
}

std::vector<Json> LiveRun::events(const std::string& kind) const {
  auto all = lines("events.jsonl");
  if (!kind.empty()) std::erase_if(all, [&](const Json& event) { return event["kind"] != kind; });
  return all;
}

std::int64_t LiveRun::last_step() const {
  std::string text = text_of(output() / "metrics.jsonl");
  text.erase(text.rfind('\n') + 1);
  if (text.empty()) return 0;
  text.pop_back();
  return Json::parse(text.substr(text.rfind('\n') + 1))["step"];
}

Json LiveRun::summary() const { return Json::parse(text_of(output() / "summary.json")); }

Json LiveRun::status() const {
  const auto outcome = workshop_.phalanx({"status", output(), "--json"});
  return outcome.code == 0 ? Json::parse(outcome.output) : Json();
}

std::vector<WorkerProcess> LiveRun::workers() const {
  std::vector<WorkerProcess> found;
  const Json all = status();
  if (!all.contains("workers")) return found;
  for (const auto& worker : all["workers"])
    found.push_back({worker["rank"], worker["pid"], worker["start_time"], worker["state"]});
  return found;
}

std::vector<WorkerProcess> LiveRun::training_workers() {
  std::vector<WorkerProcess> found;
  await("workers in training", [&] {
    found = workers();
    return !found.empty() && std::ranges::all_of(found, [](const auto& worker) {
      return worker.state == "training";
    });
  });
  return found;
}

pid_t LiveRun::find(const std::string& name) const {
  for (const auto& process : workshop_.processes())
    if (process.name == name) return process.pid;
  return 0;
}

pid_t LiveRun::keeper(std::size_t node) const {
  return Json::parse(text_of(output() / "run.json"))["keeper_pids"].at(node);
}

std::vector<fs::path> LiveRun::checkpoints() const {
  std::set<fs::path> found;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(output() / "checkpoints", missing))
    found.insert(entry.path());
  return {found.begin(), found.end()};
}

// ---------------------------------------------------------------- results

namespace {
// What may differ between equal runs: times, speed, and how often the group was formed.
bool tells_of_the_machine(const std::string& name) {
  return name.ends_with("seconds") || name.ends_with("per_second") || name == "mfu" ||
         name == "generation";
}
}  // namespace

std::map<std::int64_t, Json> trajectory(const LiveRun& run) {
  std::map<std::int64_t, Json> steps;
  for (Json line : run.metrics()) {
    Json& kept = steps[line["step"]];
    kept = Json::object();
    for (const auto& [name, value] : line.items())
      if (!tells_of_the_machine(name)) kept[name] = value;
  }
  return steps;
}

Json final_state(const LiveRun& run) {
  const auto all = run.checkpoints();
  if (all.empty()) return {};
  const auto manifest = checkpoint::read_manifest(all.back());
  Json state = {{"step", manifest.step},
                {"cursor", manifest.cursor},
                {"optimizer_step", manifest.optimizer_step},
                {"tokens", manifest.tokens}};
  for (const auto& shard : manifest.shards)
    for (const auto& stored : shard.regions) {
      Json key = {stored.kind, stored.region.tensor, stored.region.offset, stored.region.extent};
      state["regions"][key.dump()] = stored.checksum;
    }
  return state;
}

void expect_equal(const LiveRun& run, const LiveRun& reference) {
  const auto steps = trajectory(run), expected = trajectory(reference);
  EXPECT_FALSE(expected.empty());
  EXPECT_EQ(steps.size(), expected.size());
  for (const auto& [step, line] : expected) {
    const auto found = steps.find(step);
    if (found == steps.end() || found->second != line) {
      ADD_FAILURE() << "step " << step << ": expected " << line << ", found "
                    << (found == steps.end() ? Json("nothing") : found->second);
      break;
    }
  }
  EXPECT_EQ(final_state(run), final_state(reference));
}

void expect_no_step_lost_or_doubled(const LiveRun& run, std::int64_t first, std::int64_t last) {
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  std::set<std::int64_t> steps;
  for (const auto& line : run.metrics()) {
    const bool first_time = seen.emplace(line["step"], line["generation"]).second;
    EXPECT_TRUE(first_time) << "twice: " << line;
    steps.insert(line["step"].get<std::int64_t>());
  }
  for (std::int64_t step = first; step <= last; ++step)
    EXPECT_EQ(steps.count(step), 1u) << "step " << step << " has no line";
}

void expect_nothing_left(const Workshop& workshop, double seconds) {
  EXPECT_TRUE(await([&] { return workshop.processes().empty(); }, seconds));
  for (const auto& process : workshop.processes())
    ADD_FAILURE() << "left behind: " << process.name << " " << process.pid;
  for (const auto& entry : fs::recursive_directory_iterator(workshop.path())) {
    const bool in_checkpoints = entry.path().string().find("/checkpoints/") != std::string::npos;
    const bool partial = entry.path().string().find(".partial") != std::string::npos;
    EXPECT_FALSE(partial && !in_checkpoints) << entry.path();
  }
  for (const auto& entry : fs::directory_iterator(workshop.path() / "tmp"))
    ADD_FAILURE() << "left behind: " << entry.path();
  for (const auto& entry : fs::directory_iterator("/dev/shm"))
    EXPECT_EQ(entry.path().string().find("phalanx"), std::string::npos) << entry.path();
}

}  // namespace phalanx::system_test
