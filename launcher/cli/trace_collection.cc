#include "launcher/cli/trace_collection.h"

#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>

#include <iostream>
#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "launcher/cli/ask_controller.h"
#include "launcher/cli/ending.h"
#include "launcher/error.h"
#include "protocol/run_directory.h"
#include "protocol/trace_file.h"

namespace phalanx::launcher {
namespace {

namespace fs = std::filesystem;
using control::TraceAnswer;
using control::TraceRequest;

constexpr auto kLook = std::chrono::milliseconds(50);   // at the folder
constexpr auto kAsk = std::chrono::milliseconds(500);   // whether the generation goes on
constexpr auto kStragglers = std::chrono::seconds(30);  // after the first rank has written

// While it lives Ctrl-C and SIGTERM end waits, not the process.
class Interruption {
 public:
  Interruption() {
    ::sigemptyset(&signals_);
    ::sigaddset(&signals_, SIGINT);
    ::sigaddset(&signals_, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &signals_, &before_);
  }
  Interruption(const Interruption&) = delete;
  ~Interruption() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

  // Waits; false when it was interrupted.
  bool wait(Duration duration) const {
    const auto nanoseconds = duration / std::chrono::nanoseconds(1);
    const timespec time{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
    return ::sigtimedwait(&signals_, nullptr, &time) < 0;
  }

 private:
  sigset_t signals_{}, before_{};
};

// Where the ranks put their files.
class Folder {
 public:
  explicit Folder(const fs::path& run) {
    const fs::path all = protocol::RunDirectory(run).traces();
    make_folders(all);
    std::string name = (all / "XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw storage_error(all.string() + ": make a folder in it");
    path_ = name;
  }
  Folder(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    fs::remove(path_.parent_path(), ignored);  // unless there is more in it
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

[[noreturn]] void refuse_over(const fs::path& run, const char* when) {
  throw RefusedError(
      fmt::format("{}: expected a run at work{}, found one that is {}", run.string(), when,
                  as_text(ending_of(run))),
      "trace a run while it trains; `phalanx run` goes on with one that is not finished");
}

[[noreturn]] void refuse_steps(const fs::path& run, std::int64_t first, const TraceAnswer& answer) {
  throw RefusedError(fmt::format("{}: expected a first step from {} to {}, found {}", run.string(),
                                 answer.step() + 1, answer.last_step(), first),
                     "only steps to come can be traced; without --from it is the next one");
}

std::string missing_ranks(const fs::path& folder, int ranks) {
  std::set<int> there;
  for (const auto& trace : protocol::read_traces(folder)) there.insert(trace.rank());
  std::string text;
  int missing = 0;
  for (int rank = 0; rank < ranks; ++rank)
    if (!there.contains(rank) && ++missing <= 5) text += fmt::format(" {}", rank);
  return missing > 5 ? fmt::format("{} and {} more", text, missing - 5) : text;
}

class Collection {
 public:
  Collection(const fs::path& run, const TraceWish& wish) : run_(run), first_step_(wish.first_step) {
    request_.set_steps(wish.steps);
  }

  std::vector<protocol::RankTrace> run() {
    while (true) {
      const Folder folder(run_);
      const auto answer = ask(folder.path().filename());
      if (!answer) return {};
      switch (wait(folder.path(), *answer)) {
        case Result::kWhole:
          return protocol::read_traces(folder.path());
        case Result::kInterrupted:
          return {};
        case Result::kBroken:
          std::cerr << fmt::format("generation {} is over; asking the next one\n",
                                   answer->generation());
      }
    }
  }

 private:
  enum class Result { kWhole, kInterrupted, kBroken };

  // Until a generation at work has been asked; empty when interrupted.
  std::optional<TraceAnswer> ask(const std::string& id) {
    request_.set_id(id);
    while (true) {
      if (first_step_ > 0)
        request_.set_first_step(first_step_);
      else
        request_.clear_first_step();
      TraceAnswer answer;
      if (!ask_controller(run_, [&](auto& client) { answer = client.trace(request_); }))
        refuse_over(run_, asked_before_ ? " until the steps were over" : "");
      if (answer.generation() > 0) {
        asked_before_ = true;
        std::cerr << fmt::format("the run is at step {}; tracing {} steps{} (Ctrl-C: give up)\n",
                                 answer.step(), request_.steps(),
                                 first_step_ > 0 ? fmt::format(" from {} on", first_step_) : "");
        return answer;
      }
      look_at_steps(answer);
      if (!interruption_.wait(kAsk)) return std::nullopt;
    }
  }

  // Steps that were to come when they were asked for the first time are taken as they come after.
  void look_at_steps(const TraceAnswer& answer) {
    if (first_step_ == 0 || answer.ranks() == 0) return;
    const bool over = first_step_ <= answer.step();
    if (first_step_ > answer.last_step() || (over && !asked_before_))
      refuse_steps(run_, first_step_, answer);
    if (over) first_step_ = 0;
  }

  Result wait(const fs::path& folder, const TraceAnswer& asked) {
    TimePoint next_ask = Clock::now() + kAsk;
    TimePoint give_up = TimePoint::max();
    while (true) {
      const int written = protocol::count_traces(folder);
      if (written >= asked.ranks()) return Result::kWhole;
      if (written > 0 && give_up == TimePoint::max()) give_up = Clock::now() + kStragglers;
      if (Clock::now() >= give_up)
        throw StorageError(fmt::format("{}: rank{} has not written its part of the trace",
                                       run_.string(), missing_ranks(folder, asked.ranks())),
                           "see the rank's log in " + (run_ / "logs").string());
      if (!interruption_.wait(kLook)) return Result::kInterrupted;
      if (Clock::now() < next_ask) continue;
      next_ask = Clock::now() + kAsk;
      std::uint64_t generation = 0;
      const bool at_work =
          ask_controller(run_, [&](auto& client) { generation = client.status().generation(); });
      if (!at_work && protocol::count_traces(folder) < asked.ranks())
        refuse_over(run_, " until the steps were over");
      if (at_work && generation != asked.generation()) return Result::kBroken;
    }
  }

  const fs::path run_;
  const Interruption interruption_;
  std::int64_t first_step_;
  TraceRequest request_;
  bool asked_before_ = false;
};

}  // namespace

std::vector<protocol::RankTrace> collect_traces(const fs::path& run, const TraceWish& wish) {
  return Collection(run, wish).run();
}

}  // namespace phalanx::launcher
