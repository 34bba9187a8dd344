#include "launcher/cli/supervision.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <deque>
#include <iostream>
#include <mutex>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/process.h"
#include "launcher/cli/keepers.h"
#include "launcher/cli/run_file.h"
#include "launcher/cli/shown_path.h"
#include "launcher/cli/terminal.h"
#include "launcher/control/client.h"
#include "launcher/control/post_mortem.h"
#include "launcher/error.h"
#include "protocol/exit_code.h"
#include "protocol/run_directory.h"

namespace phalanx::launcher {
namespace {

using control::StopRequest;
using protocol::ExitCode;

// Keepers end by themselves once the job has ended; one that has not by then is stuck.
constexpr auto kGoodbye = std::chrono::seconds(20);
// The same where the user wants it to stop now.
constexpr auto kShortGoodbye = std::chrono::seconds(5);
// What the kernel holds in a system call for good has its death signal and stays behind.
constexpr auto kOrphans = std::chrono::seconds(5);

// What the controller tells, from the thread that listens to it.
class Happenings {
 public:
  Happenings() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  int fd() const { return event_.get(); }
  void put(control::Happening happening) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(happening));
    ::eventfd_write(event_.get(), 1);
  }
  std::deque<control::Happening> take() {
    const std::lock_guard lock(mutex_);
    eventfd_t count = 0;
    ::eventfd_read(event_.get(), &count);
    return std::exchange(queue_, {});
  }

 private:
  FileDescriptor event_;
  std::mutex mutex_;
  std::deque<control::Happening> queue_;
};

FileDescriptor block_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return FileDescriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

class Supervision {
 public:
  Supervision(const config::Job& job, int attempt, const std::vector<protocol::KeeperStart>& starts,
              const FileDescriptor& lock)
      : directory_(job.output),
        attempt_(attempt),
        token_(starts.front().token()),
        signals_(block_signals()),
        terminal_(STDERR_FILENO),
        keepers_(starts, lock) {}

  int run() {
    while (!keepers_.all_ended()) {
      wait_for_something();
      take_signals();
      take_keeper_messages();
      for (auto& happening : happenings_.take()) take(happening);
      take_deaths();
      if (goodbye_ && Clock::now() >= *goodbye_) keepers_.kill_all();
    }
    await_orphans();
    if (listener_.joinable()) listener_.join();
    for (auto& happening : happenings_.take()) take(happening);
    remove_run_file(directory_.root());
    if (!ended_) end_without_controller();
    conclude();
    return ended_->exit_code();
  }

 private:
  void wait_for_something() {
    std::vector<pollfd> fds = {{signals_.get(), POLLIN, 0}, {happenings_.fd(), POLLIN, 0}};
    for (const auto& keeper : keepers_.all())
      if (keeper.channel) fds.push_back({keeper.channel.fd(), POLLIN, 0});
    ::poll(fds.data(), fds.size(), goodbye_ ? poll_timeout(*goodbye_) : -1);
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo == SIGINT) interrupt();
      if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP)
        stop(StopRequest::TERMINATED, "saving and stopping");
    }
  }

  void interrupt() {
    ++interrupts_;
    if (interrupts_ == 1)
      stop(StopRequest::INTERRUPTED, "saving and stopping (Ctrl-C again: stop now)");
    else if (interrupts_ == 2)
      stop_now();
    else
      keepers_.kill_all();
  }

  void stop_now() {
    stop(StopRequest::NOW, "stopping now");
    goodbye_ = Clock::now() + kShortGoodbye;
  }

  // Without a controller there is nothing to save yet.
  void stop(StopRequest::Why why, const std::string& message) {
    if (ended_) return;
    terminal_.line(message);
    asked_to_stop_ = why;
    if (!client_) {
      keepers_.kill_all();
      return;
    }
    try {
      client_->stop(why);
    } catch (const LaunchError& error) {
      terminal_.line(fmt::format("error: {}", error.what()));
      keepers_.kill_all();
    }
  }

  void take_keeper_messages() {
    for (const auto& keeper : keepers_.all())
      while (const auto message = keepers_.receive(keeper.node)) {
        if (message->has_controller()) meet_controller(message->controller());
        if (message->has_failed() && !failure_) failure_ = message->failed();
      }
  }

  void meet_controller(const protocol::ControllerAddress& address) {
    protocol::ToKeeper message;
    *message.mutable_controller() = address;
    keepers_.send_all(message);
    RunFile run{address.address(), token_, ::getpid(), {}, attempt_};
    for (const auto& keeper : keepers_.all()) run.keeper_pids.push_back(keeper.pid);
    write_run_file(directory_.root(), run);
    if (listener_.joinable()) listener_.join();
    client_ = std::make_shared<control::Client>(address.address(), token_);
    listener_ = std::jthread([this, client = client_] {
      try {
        control::Happening last;
        *last.mutable_ended() = client->watch(
            [this](const control::Happening& happening) { happenings_.put(happening); });
        happenings_.put(std::move(last));
      } catch (const LaunchError&) {
        // The controller has gone: its keeper starts another, or dies with it and is seen by
        // take_deaths.
      }
    });
  }

  void take(const control::Happening& happening) {
    if (happening.has_step()) terminal_.step(happening.step(), happening.steps());
    if (happening.has_event()) {
      const std::string text = event_line(happening.event());
      if (!text.empty()) terminal_.line(text);
    }
    if (happening.has_ended()) {
      ended_ = happening.ended();
      if (!goodbye_) goodbye_ = Clock::now() + kGoodbye;
      client_.reset();  // the controller waits until its connections are closed
    }
  }

  void take_deaths() {
    for (const auto& [node, status] : keepers_.reap()) {
      if (ended_ || (status.signal == 0 && status.code == 0)) continue;
      const std::string how = fmt::format("node{}: its keeper ended: {}", node, status.describe());
      if (lost_.empty()) lost_ = how;
      try {
        if (client_) client_->report_node_lost(node, status.describe());
      } catch (const LaunchError&) {
        // The controller was that node's: it cannot end the job, so we do.
        keepers_.kill_all();
      }
      if (!client_) keepers_.kill_all();
    }
  }

  // The controller could not say how the run ended: say it in its place.
  void end_without_controller() {
    control::Verdict verdict{static_cast<int>(ExitCode::kNodesLost),
                             "failed",
                             lost_.empty() ? "the controller was lost" : lost_,
                             {}};
    if (failure_) {
      verdict.exit_code = failure_->exit_code();
      verdict.first_cause = failure_->message();
    } else if (asked_to_stop_) {
      const bool terminated = *asked_to_stop_ == StopRequest::TERMINATED;
      verdict = {
          static_cast<int>(terminated ? ExitCode::kPreemptedUnsaved : ExitCode::kInterrupted),
          "stopped",
          "stopped before the state could be saved",
          {}};
    }
    try {
      verdict = control::end_without_controller(directory_, attempt_, std::move(verdict));
    } catch (const StorageError& error) {
      terminal_.line(fmt::format("warning: {}", error.what()));
    }
    ended_.emplace();
    ended_->set_outcome(verdict.outcome);
    ended_->set_exit_code(verdict.exit_code);
    ended_->set_first_cause(verdict.first_cause);
    ended_->set_help(verdict.help);
  }

  // What was below a keeper that was killed dies with it, and is ours to reap.
  void await_orphans() {
    const TimePoint deadline = Clock::now() + kOrphans;
    while (has_children() && Clock::now() < deadline) {
      pollfd signals{signals_.get(), POLLIN, 0};
      ::poll(&signals, 1, poll_timeout(deadline));
      take_signals();
      (void)keepers_.reap();
    }
  }

  void conclude() {
    terminal_.finish();
    if (ended_->exit_code() == 0) {
      std::cerr << fmt::format("{}: {}\n", ended_->outcome(), shown(directory_.root()));
      return;
    }
    if (ended_->outcome() == "stopped" && ended_->first_cause().empty()) {
      std::cerr << fmt::format("stopped, state saved: {}\nhelp: run the job again to go on\n",
                               shown(directory_.root()));
      return;
    }
    std::cerr << fmt::format("error: {}\n", ended_->first_cause());
    if (!ended_->help().empty()) std::cerr << fmt::format("help: {}\n", ended_->help());
  }

  const protocol::RunDirectory directory_;
  const int attempt_;
  const std::string token_;
  const FileDescriptor signals_;
  Terminal terminal_;
  Keepers keepers_;
  Happenings happenings_;
  std::shared_ptr<control::Client> client_;
  std::jthread listener_;
  std::optional<control::Ended> ended_;
  std::optional<protocol::NodeFailed> failure_;
  std::optional<StopRequest::Why> asked_to_stop_;
  std::optional<TimePoint> goodbye_;
  std::string lost_;
  int interrupts_ = 0;
};

}  // namespace

int supervise(const config::Job& job, int attempt, const std::vector<protocol::KeeperStart>& starts,
              const FileDescriptor& lock) {
  become_subreaper();
  ignore_signals({SIGPIPE});  // a terminal or a pipe that has gone is no reason to end a run
  return Supervision(job, attempt, starts, lock).run();
}

}  // namespace phalanx::launcher
