#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/system/processes.h"

namespace phalanx::system_test {

using Json = nlohmann::json;
using Arguments = std::vector<std::string>;

// How a command ended, and what it printed.
struct Outcome {
  int code = -1;  // exit status; 128 + the signal that killed it
  std::string output, errors;
};

// A folder with a small job and its data: 4 ranks on one node. Removed at the end, with every
// process that was started in it.
class Workshop {
 public:
  Workshop();
  Workshop(const Workshop&) = delete;
  ~Workshop();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path job() const { return path_ / "job.yaml"; }
  // The marker that all processes started from here carry in their environment.
  const std::string& marker() const { return marker_; }
  std::vector<Process> processes() const { return processes_with(marker_); }

  // `phalanx ARGUMENTS` to its end.
  Outcome phalanx(const Arguments& arguments) const;
  // A line of a shell to its end, in which $PHALANX is the program.
  Outcome shell(const std::string& line) const;

 private:
  Outcome outcome_of(const std::string& program, const Arguments& arguments) const;

  std::filesystem::path path_;
  std::string marker_;
};

// A worker as `phalanx status` shows it.
struct WorkerProcess {
  int rank = 0;
  pid_t pid = 0;
  unsigned long long start_time = 0;
  std::string state;
};

// One `phalanx run` in a workshop, on the output of its own name there.
class LiveRun {
 public:
  LiveRun(const Workshop& workshop, std::string name, const Arguments& arguments = {});
  LiveRun(const LiveRun&) = delete;
  ~LiveRun();

  std::filesystem::path output() const { return workshop_.path() / name_; }
  pid_t pid() const { return pid_; }
  void signal(int number) const;
  // The exit status of `phalanx run`, 128 + signal if one killed it; -1, and a failure of the test,
  // when it does not come.
  int wait(double seconds = 100);
  bool ended();  // `phalanx run` has
  std::string console() const;

  // Waits until the condition holds; fails the test and returns false when it does not, or when the
  // run has ended before.
  bool await(const std::string& what, const std::function<bool()>& condition);
  bool await_step(std::int64_t step);
  bool await_event(const std::string& kind, std::size_t count = 1);

  std::vector<Json> metrics() const { return lines("metrics.jsonl"); }
  std::vector<Json> events(const std::string& kind = {}) const;
  std::int64_t last_step() const;
  Json summary() const;
  Json status() const;
  std::vector<WorkerProcess> workers() const;  // by rank
  // The same once all of them are in training.
  std::vector<WorkerProcess> training_workers();
  // A process of the workshop of this name; 0 when there is none.
  pid_t find(const std::string& name) const;
  pid_t keeper(std::size_t node) const;
  std::vector<std::filesystem::path> checkpoints() const;

 private:
  std::vector<Json> lines(const std::string& file) const;

  const Workshop& workshop_;
  const std::string name_;
  std::filesystem::path console_;
  pid_t pid_ = 0;
  int code_ = -1;
};

// What training came to: of each step the line with the highest generation, without what time and
// place change.
std::map<std::int64_t, Json> trajectory(const LiveRun& run);

// Everything in the final checkpoint that the state decides: every region with its checksum.
Json final_state(const LiveRun& run);

// Same steps, losses, norms and state, bit by bit.
void expect_equal(const LiveRun& run, const LiveRun& reference);

// Every step from `first` has one line in each generation at most, and none is missing.
void expect_no_step_lost_or_doubled(const LiveRun& run, std::int64_t first, std::int64_t last);

// No process of the workshop lives (within `seconds`), and no file is left that a finished run does
// not have.
void expect_nothing_left(const Workshop& workshop, double seconds = 5);

}  // namespace phalanx::system_test
