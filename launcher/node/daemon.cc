#include "launcher/node/daemon.h"

#include <fcntl.h>

#include <utility>

#include "base/error.h"
#include "base/process.h"
#include "base/socket.h"
#include "launcher/node/log_tail.h"

namespace phalanx::node {

void Daemon::start() {
  if (ending_) return;
  ++starts_;
  try {
    auto [ours, theirs] = socket_pair();
    const FileDescriptor log(
        ::open(program_.log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
    if (!log) throw SystemError(describe_errno("open " + program_.log.string()));
    Command command;
    command.program = program_.path;
    command.arguments = program_.arguments;
    command.descriptors = {{1, log.get()}, {2, log.get()}, {3, theirs.get()}};
    command.death_signal = program_.end_signal;
    pid_ = start_process(command);
    peer_ = std::make_unique<FramePeer>(loop_, FrameChannel(std::move(ours)),
                                        FramePeer::Handlers{handlers_.on_frame,
                                                            [this](const std::string& garbage) {
                                                              if (!garbage.empty()) kill(garbage);
                                                            },
                                                            handlers_.on_room});
  } catch (const SystemError& error) {
    return try_again(error.what());
  }
  handlers_.on_start();
}

void Daemon::died(const std::string& how) {
  pid_ = 0;
  peer_->drain();
  peer_.reset();
  if (!ending_) try_again(how);
}

protocol::NodeReport Daemon::started() const {
  protocol::NodeReport report;
  auto& started = *report.mutable_daemon_started();
  started.set_pid(pid_);
  started.set_starts(starts_);
  started.set_name(program_.name.substr(program_.name.rfind('-') + 1));  // phalanx-agent
  started.set_previous_death(previous_death_);
  return report;
}

void Daemon::end() {
  let_go();
  if (pid_ != 0) ::kill(pid_, program_.end_signal);
}

void Daemon::kill(const std::string& why) {
  if (pid_ == 0) return;
  add_line(program_.log, "phalanx-keeper: killed: " + why);
  ::kill(pid_, SIGKILL);
}

void Daemon::try_again(const std::string& how) {
  previous_death_ = how;
  add_line(program_.log, "phalanx-keeper: " + program_.name + ": " + how);
  const auto when = policy_.after_death(Clock::now());
  if (!when) {
    ending_ = true;
    return handlers_.on_given_up(program_.name + " keeps dying: " + how + "; the last lines of " +
                                 program_.log.string() + ":\n" + last_lines(program_.log));
  }
  loop_.at(*when, [this] { start(); });
}

}  // namespace phalanx::node
