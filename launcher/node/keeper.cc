#include "launcher/node/keeper.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "launcher/node/daemon.h"
#include "launcher/node/report_link.h"
#include "launcher/node/workers.h"
#include "protocol/exit_code.h"
#include "protocol/run_directory.h"

namespace phalanx::node {

using protocol::ExitCode;
using protocol::FromKeeper;
using protocol::KeeperStart;
using protocol::NodeCommand;
using protocol::NodeReport;
using protocol::ToAgent;

namespace {

constexpr int kControllerCrashes = 3;
constexpr Duration kControllerMemory = std::chrono::seconds(10);
constexpr Duration kAgentMemory = std::chrono::seconds(60);
// The agent says twice a second that it is alive.
constexpr Duration kAgentSilence = std::chrono::seconds(10);
constexpr Duration kLookAtAgent = std::chrono::seconds(2);
// How long NodeEnded may take to be acknowledged, and the controller to end after it.
constexpr Duration kLastReport = std::chrono::seconds(5);
constexpr Duration kControllerEnd = std::chrono::seconds(15);
// More reports than this mean that there has been no controller for long: workers wait for one.
constexpr std::size_t kMostReports = 100'000;

Daemon::Program own_program(const KeeperStart& node, const std::string& role) {
  return {self_program(),
          {role},
          "phalanx-" + role,
          protocol::RunDirectory(node.output()).daemon_log(node.name(), role)};
}

FileDescriptor watch_children() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  FileDescriptor file(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!file) throw SystemError(describe_errno("signalfd"));
  return file;
}

class Keeper {
 public:
  Keeper(FrameChannel launcher, const KeeperStart& node);
  int run();

 private:
  void on_children();
  void on_exit(const ExitStatus& status);
  void launcher_said(const Frame& frame);
  void controller_started();
  void controller_said(const Frame& frame);
  void controller_given_up(const std::string& why);
  void agent_started();
  void agent_said(const Frame& frame);
  void watch_agent();
  void tell_agent(const ToAgent& message, const std::vector<int>& descriptors = {});
  void controller_is_at(const protocol::ControllerAddress& address);
  void obey(const NodeCommand& command);
  void report(NodeReport report);
  void pace_workers();
  void all_workers_gone();
  void close();
  void kill_everything();

  enum class Phase { kServing, kReported, kClosing };

  KeeperStart node_;
  EventLoop loop_;
  FileDescriptor children_;
  FramePeer launcher_;
  ReportLink link_;
  Daemon controller_;
  ExitStatus controller_death_;  // its last
  Daemon agent_;
  Workers workers_;
  protocol::ControllerAddress address_;
  TimePoint agent_heard_{};
  bool workers_wait_ = false;
  Phase phase_ = Phase::kServing;
  std::optional<int> exit_code_;
};

Keeper::Keeper(FrameChannel launcher, const KeeperStart& node)
    : node_(node),
      children_(watch_children()),
      launcher_(loop_, std::move(launcher),
                {[this](Frame& frame) { launcher_said(frame); },
                 [this](const std::string&) { exit_code_ = static_cast<int>(ExitCode::kBug); }}),
      controller_(
          loop_, own_program(node_, "controller"),
          RestartPolicy(kControllerCrashes, kControllerMemory),
          {[this] { controller_started(); }, [this](Frame& frame) { controller_said(frame); },
           [] {}, [this](const std::string& why) { controller_given_up(why); }}),
      agent_(loop_, own_program(node_, "agent"), RestartPolicy(0, kAgentMemory),
             {[this] { agent_started(); }, [this](Frame& frame) { agent_said(frame); },
              [this] { link_.pump(); }, [](const std::string&) {}}),
      workers_(loop_, node_,
               {[this](NodeReport message) { report(std::move(message)); },
                [this](const protocol::WatchBlackBox& watch, int black_box) {
                  ToAgent message;
                  *message.mutable_watch() = watch;
                  tell_agent(message, {black_box});
                },
                [this] { all_workers_gone(); }}) {
  make_folders(protocol::RunDirectory(node_.output()).logs() / node_.name());
  loop_.watch(children_.get(), EPOLLIN, [this] { on_children(); });
}

int Keeper::run() {
  NodeReport ready;
  ready.mutable_node_ready()->set_node(node_.node());
  ready.mutable_node_ready()->set_name(node_.name());
  ready.mutable_node_ready()->set_keeper_pid(::getpid());
  report(std::move(ready));
  workers_.nursery().start();  // first: no step begins before it has loaded Torch
  workers_.mpi_places().start();
  if (node_.with_controller()) controller_.start();
  agent_.start();
  watch_agent();
  while (!exit_code_) {
    loop_.run_once();
    link_.acknowledge();
    pace_workers();
  }
  kill_everything();
  return *exit_code_;
}

// ---------------------------------------------------------------- children

void Keeper::on_children() {
  signalfd_siginfo signals[16];
  while (::read(children_.get(), signals, sizeof signals) > 0) {
  }
  while (const auto status = reap_any()) on_exit(*status);
}

void Keeper::on_exit(const ExitStatus& status) {
  if (status.pid == agent_.pid()) {
    link_.disconnected();
    agent_.died(status.describe());
  } else if (status.pid == workers_.nursery().pid()) {
    workers_.nursery().died(status.describe());
  } else if (status.pid == workers_.mpi_places().mpirun().pid()) {
    workers_.mpi_places().mpirun().died(status.describe());
  } else if (status.pid == controller_.pid()) {
    const bool done = status.signal == 0 && (status.code == 0 || phase_ == Phase::kClosing);
    if (done) controller_.end();
    controller_death_ = status;
    controller_.died(status.describe());
    if (done) exit_code_ = 0;
  } else {
    workers_.exited(status);
  }
}

// ---------------------------------------------------------------- phalanx run and the controller

void Keeper::launcher_said(const Frame& frame) {
  protocol::ToKeeper message;
  if (message.ParseFromString(frame.payload) && message.has_controller())
    controller_is_at(message.controller());
}

void Keeper::controller_started() {
  // The first frame: nothing is kept before it.
  (void)controller_.peer()->send(node_.controller().SerializeAsString());
}

void Keeper::controller_said(const Frame& frame) {
  protocol::ControllerAddress address;
  if (!address.ParseFromString(frame.payload) || address.address().empty())
    return controller_.kill("expected a frame ControllerAddress, found another");
  controller_is_at(address);
  FromKeeper message;
  *message.mutable_controller() = address;
  (void)launcher_.send(message.SerializeAsString());
}

void Keeper::controller_is_at(const protocol::ControllerAddress& address) {
  if (address.address() == address_.address()) return;
  address_ = address;
  ToAgent message;
  *message.mutable_controller() = address;
  tell_agent(message);
}

// A controller that says why it ends is believed; who kills one is not known.
int exit_code_of(const ExitStatus& controller) {
  if (controller.signal == 0) return controller.code;
  const bool killed = controller.signal == SIGKILL || controller.signal == SIGTERM;
  return static_cast<int>(killed ? ExitCode::kNodesLost : ExitCode::kBug);
}

void Keeper::controller_given_up(const std::string& why) {
  FromKeeper message;
  message.mutable_failed()->set_exit_code(exit_code_of(controller_death_));
  message.mutable_failed()->set_message(node_.name() + ": " + why);
  (void)launcher_.send(message.SerializeAsString());
  exit_code_ = static_cast<int>(ExitCode::kBug);
}

// ---------------------------------------------------------------- agent

void Keeper::agent_started() {
  agent_heard_ = Clock::now();
  ToAgent message;
  auto& start = *message.mutable_start();
  start.set_node(node_.node());
  start.set_controller(address_.address());
  start.set_token(node_.token());
  start.set_slots(node_.slots());
  tell_agent(message);
  workers_.watch_all();
  report(agent_.started());
}

void Keeper::tell_agent(const ToAgent& message, const std::vector<int>& descriptors) {
  if (agent_.peer() != nullptr && !agent_.peer()->send(message.SerializeAsString(), descriptors))
    agent_.kill("it does not read what it is told");
}

void Keeper::agent_said(const Frame& frame) {
  agent_heard_ = Clock::now();
  protocol::FromAgent message;
  if (!message.ParseFromString(frame.payload))
    return agent_.kill("expected a frame FromAgent, found another");
  if (message.has_reconnected()) link_.connected(*agent_.peer());
  if (message.has_command() && link_.accept(message.command())) obey(message.command());
  if (phase_ == Phase::kReported && link_.waiting() == 0) close();
  if (message.has_silent() &&
      workers_.holds(message.silent().slot(), static_cast<pid_t>(message.silent().pid()))) {
    NodeReport silent;
    *silent.mutable_worker_silent() = message.silent();
    report(std::move(silent));
  }
}

void Keeper::watch_agent() {
  if (agent_.pid() != 0 && Clock::now() - agent_heard_ > kAgentSilence)
    agent_.kill("it shows no sign of life");
  loop_.at(Clock::now() + kLookAtAgent, [this] { watch_agent(); });
}

// ---------------------------------------------------------------- commands and reports

void Keeper::obey(const NodeCommand& command) {
  switch (command.kind_case()) {
    case NodeCommand::kStartWorker:
      return workers_.start(command.start_worker().slot());
    case NodeCommand::kKillWorker:
      return workers_.kill(command.kill_worker().slot(),
                           static_cast<pid_t>(command.kill_worker().pid()));
    case NodeCommand::kRoster:
      return workers_.begin(command.roster());
    case NodeCommand::kAbort:
      return workers_.abort(command.abort());
    case NodeCommand::kStop:
      return workers_.stop();
    case NodeCommand::kTrace:
      return workers_.trace(command.trace());
    case NodeCommand::kEndNode:
      return workers_.leave(from_seconds(command.end_node().grace_seconds()));
    case NodeCommand::KIND_NOT_SET:
      return log::error("{}: a command without a kind, number {}", node_.name(),
                        command.sequence());
  }
}

void Keeper::report(NodeReport report) { link_.push(std::move(report)); }

void Keeper::pace_workers() {
  const bool must_wait = link_.waiting() > kMostReports;
  if (must_wait == workers_wait_) return;
  workers_wait_ = must_wait;
  if (must_wait) {
    workers_.pause();
  } else {
    workers_.resume();
  }
}

// ---------------------------------------------------------------- the end

void Keeper::all_workers_gone() {
  if (phase_ != Phase::kServing) return;
  phase_ = Phase::kReported;
  NodeReport ended;
  ended.mutable_node_ended();
  report(std::move(ended));
  loop_.at(Clock::now() + kLastReport, [this] { close(); });
}

void Keeper::close() {
  if (phase_ == Phase::kClosing) return;
  phase_ = Phase::kClosing;
  agent_.end();
  workers_.nursery().end();
  workers_.mpi_places().mpirun().end();
  if (controller_.pid() == 0) {
    exit_code_ = 0;
    return;
  }
  loop_.at(Clock::now() + kControllerEnd, [this] { exit_code_ = 0; });
}

void Keeper::kill_everything() {
  controller_.end();
  agent_.end();
  workers_.nursery().end();
  workers_.mpi_places().mpirun().end();
  workers_.kill_all();
  // Not for ever: what the kernel holds in a system call for good has its death signal and stays
  // behind. Those that this process does not know yet have it as well.
  const TimePoint deadline = Clock::now() + std::chrono::seconds(5);
  while (::waitpid(-1, nullptr, WNOHANG) >= 0 && Clock::now() < deadline) {
    const timespec moment{0, 1'000'000};
    sigset_t children;
    ::sigemptyset(&children);
    ::sigaddset(&children, SIGCHLD);
    ::sigtimedwait(&children, nullptr, &moment);
  }
}

// Each worker takes two descriptors here.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int run_keeper(int fd) {
  set_process_name("phalanx-keeper");
  // A signal to the whole job is phalanx run's to answer, by saving and stopping.
  ignore_signals({SIGINT, SIGTERM, SIGHUP, SIGPIPE});
  become_subreaper();
  raise_descriptor_limit();
  FrameChannel launcher{FileDescriptor(fd)};
  Frame frame;
  protocol::ToKeeper first;
  while (true) {
    const auto status = launcher.receive(frame, TimePoint::max());
    if (status == FrameChannel::Status::kEnd) return static_cast<int>(ExitCode::kBug);
    if (status == FrameChannel::Status::kFrame && first.ParseFromString(frame.payload) &&
        first.has_start())
      break;
  }
  return Keeper(std::move(launcher), first.start()).run();
}

}  // namespace phalanx::node
