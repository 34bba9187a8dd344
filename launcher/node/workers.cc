#include "launcher/node/workers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory_file.h"
#include "base/socket.h"
#include "launcher/node/log_tail.h"
#include "protocol/black_box.h"
#include "protocol/exit_code.h"
#include "protocol/run_directory.h"

namespace phalanx::node {

using protocol::ExitCode;
using protocol::NodeReport;
using protocol::RunDirectory;
using protocol::ToWorker;

namespace {

// A worker that has closed its channel must end; this long it may take.
constexpr Duration kTimeToEnd = std::chrono::seconds(5);
// A fork takes milliseconds, but a new nursery loads its libraries first, perhaps from a slow disk.
constexpr Duration kTimeToFork = std::chrono::seconds(120);
// A nursery that dies this often without a fork in between will not get better.
constexpr int kNurseryDeaths = 3;
constexpr Duration kNurseryMemory = std::chrono::minutes(10);
constexpr auto kNurseryHelp = "every worker of this node needs it: see that LibTorch loads there";
constexpr auto kMpirunHelp = "every worker needs it: see that `mpirun -n 1 true` works there";

Daemon::Program nursery_program(const protocol::KeeperStart& node) {
  return {node.worker_program(),
          {"--nursery"},
          "phalanx-nursery",
          RunDirectory(node.output()).daemon_log(node.name(), "nursery")};
}

ToWorker start_message(const protocol::KeeperStart& node, int slot) {
  ToWorker message;
  auto& start = *message.mutable_start();
  start.set_job(node.job());
  start.set_output(node.output());
  start.set_attempt(node.attempt());
  start.set_node(node.node());
  start.set_slot(slot);
  start.set_host(node.host());
  start.set_secret(node.secret());
  return message;
}

NodeReport exit_report(int slot, const ExitStatus& status, std::string lines) {
  NodeReport report;
  auto& exited = *report.mutable_worker_exited();
  exited.set_slot(slot);
  exited.set_pid(status.pid);
  exited.set_code(status.code);
  exited.set_signal(status.signal);
  exited.set_last_lines(std::move(lines));
  exited.set_reaped_at(wall_seconds());
  return report;
}

NodeReport node_failed(ExitCode code, const std::string& message, const std::string& help) {
  NodeReport report;
  report.mutable_node_failed()->set_exit_code(static_cast<int>(code));
  report.mutable_node_failed()->set_message(message);
  report.mutable_node_failed()->set_help(help);
  return report;
}

}  // namespace

Workers::Workers(EventLoop& loop, const protocol::KeeperStart& node, Handlers handlers)
    : loop_(loop),
      node_(node),
      handlers_(std::move(handlers)),
      nursery_(loop, nursery_program(node), RestartPolicy(kNurseryDeaths, kNurseryMemory),
               {[this] { nursery_started(); }, [this](Frame& frame) { nursery_said(frame); }, [] {},
                [this](const std::string& why) { given_up(why, kNurseryHelp); }}),
      mpi_places_(
          loop, node,
          {[this] { fork_next(); },
           [this](int slot) { kill_because(slot, "mpirun has given up its place"); },
           [this](const std::string& why) { given_up(why, kMpirunHelp); }, handlers_.report}),
      workers_(static_cast<std::size_t>(node.slots())) {}

Workers::Worker* Workers::find(int slot) {
  if (slot >= 0 && slot < node_.slots()) return &workers_[static_cast<std::size_t>(slot)];
  log::error("{}: expected a slot below {}, found {}", node_.name(), node_.slots(), slot);
  return nullptr;
}

std::filesystem::path Workers::log(int slot) const {
  return RunDirectory(node_.output()).log(node_.name(), slot);
}

// ---------------------------------------------------------------- starting

void Workers::start(int slot) {
  const Worker* worker = find(slot);
  if (worker == nullptr || leaving_ || worker->peer) return;
  if (std::find(to_fork_.begin(), to_fork_.end(), slot) != to_fork_.end()) return;
  to_fork_.push_back(slot);
  fork_next();
}

void Workers::fork_next() {
  if (forking_ || nursery_.peer() == nullptr) return;
  const auto next =
      std::ranges::find_if(to_fork_, [this](int slot) { return mpi_places_.is_free(slot); });
  if (next == to_fork_.end()) return;
  forking_ = *next;
  to_fork_.erase(next);
  request_fork(*forking_);
}

void Workers::request_fork(int slot) {
  Worker& worker = *find(slot);
  worker.incarnation = ++incarnations_;
  if (!worker.black_box)
    worker.black_box = create_memory_file("phalanx-black-box", protocol::kBlackBoxBytes);
  const std::string empty(protocol::kBlackBoxBytes, '\0');
  (void)!::pwrite(worker.black_box.get(), empty.data(), empty.size(), 0);
  const FileDescriptor output(
      ::open(log(slot).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  if (!output) throw storage_error("open " + log(slot).string());
  worker.log_start = std::filesystem::file_size(log(slot));
  auto [ours, theirs] = socket_pair();
  worker.peer = std::make_unique<FramePeer>(
      loop_, FrameChannel(std::move(ours)),
      FramePeer::Handlers{[this, slot](Frame& frame) { worker_said(slot, frame); },
                          [this, slot](const std::string& why) { worker_closed(slot, why); }});
  tell(slot, start_message(node_, slot));

  protocol::ForkWorker request;
  request.set_slot(slot);
  for (auto& entry : mpi_places_.take(slot)) request.add_environment(std::move(entry));
  (void)nursery_.peer()->send(request.SerializeAsString(),
                              {theirs.get(), output.get(), worker.black_box.get()});
  loop_.at(Clock::now() + kTimeToFork, [this, slot, incarnation = worker.incarnation] {
    if (forking_ == slot && find(slot)->incarnation == incarnation)
      nursery_.kill("it has not forked a worker in time");
  });
}

void Workers::nursery_said(Frame& frame) {
  protocol::Forked forked_worker;
  if (!forked_worker.ParseFromString(frame.payload) || forking_ != forked_worker.slot())
    return nursery_.kill("expected a frame Forked for what was asked, found another");
  nursery_.forget_deaths();
  forking_.reset();
  forked(forked_worker.slot(), static_cast<pid_t>(forked_worker.pid()));
  fork_next();
}

void Workers::forked(int slot, pid_t pid) {
  Worker& worker = *find(slot);
  worker.pid = pid;
  worker.reaped = false;
  NodeReport report;
  auto& started = *report.mutable_worker_started();
  started.set_slot(slot);
  started.set_pid(pid);
  started.set_start_time(start_time(pid));
  handlers_.report(std::move(report));
  protocol::WatchBlackBox watch;
  watch.set_slot(slot);
  watch.set_pid(pid);
  handlers_.watch(watch, worker.black_box.get());
  if (const auto dead = unknown_.extract(pid)) worker_exited(slot, dead.mapped());
  unknown_.clear();
}

// What its predecessor was at is lost with it: a worker whose pid was not told has not been let go.
void Workers::nursery_started() {
  handlers_.report(nursery_.started());
  if (forking_) {
    find(*forking_)->peer.reset();
    mpi_places_.give_back(*forking_);
    to_fork_.push_front(*forking_);
    forking_.reset();
  }
  unknown_.clear();
  fork_next();
}

void Workers::given_up(const std::string& why, const std::string& help) {
  handlers_.report(node_failed(ExitCode::kPreflight, node_.name() + ": " + why, help));
}

// ---------------------------------------------------------------- telling and hearing

void Workers::tell(int slot, const ToWorker& message, const std::vector<int>& descriptors) {
  const Worker& worker = *find(slot);
  if (worker.peer && !worker.peer->send(message.SerializeAsString(), descriptors))
    kill_because(slot, "it does not read what it is told");
}

void Workers::tell_all(const ToWorker& message) {
  for (int slot = 0; slot < node_.slots(); ++slot) tell(slot, message);
}

void Workers::worker_said(int slot, const Frame& frame) {
  const Worker& worker = *find(slot);
  NodeReport report;
  auto& said = *report.mutable_worker_report();
  said.set_slot(slot);
  said.set_pid(worker.pid);
  auto& message = *said.mutable_report();
  if (!message.ParseFromString(frame.payload) ||
      message.kind_case() == protocol::FromWorker::KIND_NOT_SET)
    return kill_because(slot, fmt::format("expected a frame FromWorker, found {} other bytes",
                                          frame.payload.size()));
  handlers_.report(std::move(report));
}

void Workers::worker_closed(int slot, const std::string& garbage) {
  if (!garbage.empty()) return kill_because(slot, garbage);
  const std::uint64_t incarnation = find(slot)->incarnation;
  loop_.at(Clock::now() + kTimeToEnd, [this, slot, incarnation] {
    if (find(slot)->incarnation == incarnation)
      kill_because(slot, "it has closed its channel to the keeper, but does not end");
  });
}

void Workers::begin(const protocol::Roster& roster) {
  memory_ = {};  // first: there may not be room for both
  for (auto& worker : workers_) worker.rank = -1;
  std::map<int, int> ranks;  // by slot
  for (const auto& place : roster.places())
    if (place.node() == node_.node() && find(place.slot()) != nullptr)
      ranks[place.slot()] = place.rank();
  if (ranks.empty()) return;
  try {
    memory_ =
        GenerationMemory(roster.generation(), static_cast<int>(ranks.size()), node_.arena_bytes());
  } catch (const SystemError& error) {
    return handlers_.report(node_failed(
        ExitCode::kOutOfMemory,
        fmt::format("{}: generation {}: {}", node_.name(), roster.generation(), error.what()),
        error.help()));
  }
  ToWorker message;
  *message.mutable_roster() = roster;
  for (const auto& [slot, rank] : ranks) {
    find(slot)->rank = rank;
    tell(slot, message, memory_.descriptors());
    if (find(slot)->pid == 0) memory_.end(rank);  // it died while the roster was under way
  }
}

void Workers::abort(const protocol::Abort& abort) {
  if (abort.generation() >= memory_.generation()) memory_.end(abort.rank());
  ToWorker message;
  *message.mutable_abort() = abort;
  tell_all(message);
}

void Workers::stop() {
  ToWorker message;
  message.mutable_stop();
  tell_all(message);
}

void Workers::trace(const protocol::Trace& trace) {
  ToWorker message;
  *message.mutable_trace() = trace;
  tell_all(message);
}

void Workers::pause() {
  for (auto& worker : workers_)
    if (worker.peer) worker.peer->pause();
}

void Workers::resume() {
  for (auto& worker : workers_)
    if (worker.peer) worker.peer->resume();
}

bool Workers::holds(int slot, pid_t pid) const {
  return slot >= 0 && slot < node_.slots() && pid != 0 &&
         workers_[static_cast<std::size_t>(slot)].pid == pid;
}

void Workers::watch_all() {
  for (int slot = 0; slot < node_.slots(); ++slot) {
    if (find(slot)->pid == 0) continue;
    protocol::WatchBlackBox watch;
    watch.set_slot(slot);
    watch.set_pid(find(slot)->pid);
    handlers_.watch(watch, find(slot)->black_box.get());
  }
}

// ---------------------------------------------------------------- ending

void Workers::exited(const ExitStatus& status) {
  for (int slot = 0; slot < node_.slots(); ++slot)
    if (find(slot)->pid == status.pid) return worker_exited(slot, status);
  if (forking_) unknown_[status.pid] = status;
}

void Workers::worker_exited(int slot, const ExitStatus& status) {
  Worker& worker = *find(slot);
  if (worker.rank >= 0) memory_.end(std::exchange(worker.rank, -1));  // before all else
  worker.reaped = true;
  mpi_places_.leave(slot, status);
  worker.peer->drain();
  worker.peer.reset();
  worker.pid = 0;
  worker.incarnation = 0;
  handlers_.report(exit_report(slot, status, last_lines(log(slot), worker.log_start)));
  look_whether_all_gone();
}

void Workers::kill(int slot, pid_t pid) {
  // It cannot be another process by now: its pid is free only after it has been reaped here.
  if (holds(slot, pid)) ::kill(pid, SIGKILL);
}

void Workers::kill_because(int slot, const std::string& why) {
  const Worker& worker = *find(slot);
  if (worker.pid == 0) return;
  add_line(log(slot), fmt::format("phalanx-keeper: worker {} killed: {}", worker.pid, why));
  if (!worker.reaped) ::kill(worker.pid, SIGKILL);
}

void Workers::kill_all() {
  for (const auto& worker : workers_)
    if (worker.pid != 0) ::kill(worker.pid, SIGKILL);
}

void Workers::leave(Duration grace) {
  leaving_ = true;
  to_fork_.clear();
  mpi_places_.mpirun().let_go();  // it ends with its last placeholder
  ToWorker message;
  message.mutable_leave();
  tell_all(message);
  loop_.at(Clock::now() + grace, [this] { end_of_grace(); });
  look_whether_all_gone();
}

void Workers::end_of_grace() {
  for (int slot = 0; slot < node_.slots(); ++slot)
    kill_because(slot, "it was told to leave and has not");
  nursery_.end();
  forking_.reset();
  look_whether_all_gone();
}

void Workers::look_whether_all_gone() {
  if (!leaving_ || forking_) return;
  for (const auto& worker : workers_)
    if (worker.pid != 0) return;
  handlers_.on_all_gone();
}

}  // namespace phalanx::node
