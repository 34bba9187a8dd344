#include "tests/node/running_node.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <utility>

#include "base/file.h"
#include "base/socket.h"

namespace phalanx::node {

using protocol::NodeCommand;
using protocol::NodeReport;

namespace {

constexpr char kToken[] = "token";

std::filesystem::path new_folder() {
  std::string name = std::filesystem::temp_directory_path() / "phalanx_node_test.XXXXXX";
  return ::mkdtemp(name.data());
}

}  // namespace

RunningNode::RunningNode(Options options)
    : options_(std::move(options)),
      output_(new_folder()),
      service_(std::make_unique<AttachedController>(state_, kToken)) {
  auto [ours, theirs] = socket_pair();
  Command command;
  command.program = PHALANX_NODE_MAIN_PROGRAM;
  command.arguments = {"keeper"};
  command.descriptors = {{3, theirs.get()}};
  command.new_session = true;
  keeper_ = start_process(command);
  launcher_ = FrameChannel(std::move(ours));

  write_file_atomically(output_ / "controller", service_->address() + "\n");
  protocol::ToKeeper message;
  auto& start = *message.mutable_start();
  start.set_node(0);
  start.set_name("node0");
  start.set_slots(options_.slots);
  start.set_job(options_.job);
  start.set_output(output_);
  start.set_attempt(1);
  start.set_host("127.0.0.1");
  start.set_secret("secret");
  start.set_token(kToken);
  start.set_arena_bytes(options_.arena_bytes);
  start.set_worker_program(options_.worker_program);
  start.set_with_controller(options_.with_controller);
  start.mutable_controller()->set_job(output_ / "controller");
  EXPECT_TRUE(launcher_.send(message.SerializeAsString()));
  if (!options_.with_controller) {
    message.mutable_controller()->set_address(service_->address());
    EXPECT_TRUE(launcher_.send(message.SerializeAsString()));
  }
}

RunningNode::~RunningNode() {
  const auto left = children();
  launcher_.close();
  if (!reaped_) {
    ::kill(keeper_, SIGKILL);
    wait_for(keeper_);
  }
  for (const pid_t pid : left) EXPECT_TRUE(gone_by(pid, Clock::now() + std::chrono::seconds(20)));
  service_.reset();
  std::filesystem::remove_all(output_);
}

void RunningNode::move_controller() {
  auto next = std::make_unique<AttachedController>(state_, kToken);
  write_file_atomically(output_ / "controller", next->address() + "\n");
  service_ = std::move(next);
  if (options_.with_controller) return;
  protocol::ToKeeper message;
  message.mutable_controller()->set_address(service_->address());
  EXPECT_TRUE(launcher_.send(message.SerializeAsString()));
}

ExitStatus RunningNode::keeper_exit() {
  EXPECT_TRUE(gone_by(keeper_, Clock::now() + std::chrono::seconds(60)));
  reaped_ = true;
  return wait_for(keeper_);
}

void RunningNode::start_worker(int slot) {
  NodeCommand command;
  command.mutable_start_worker()->set_slot(slot);
  state_.command(command);
}

void RunningNode::kill_worker(int slot, pid_t pid) {
  NodeCommand command;
  command.mutable_kill_worker()->set_slot(slot);
  command.mutable_kill_worker()->set_pid(pid);
  state_.command(command);
}

void RunningNode::begin(std::uint64_t generation, const std::vector<int>& slots) {
  NodeCommand command;
  auto& roster = *command.mutable_roster();
  roster.set_generation(generation);
  roster.set_step(0);
  for (const int slot : slots) {
    auto& place = *roster.add_places();
    place.set_rank(roster.places_size() - 1);
    place.set_node(0);
    place.set_slot(slot);
    place.set_host("127.0.0.1");
    place.set_port(1);
  }
  state_.command(command);
}

void RunningNode::abort(std::uint64_t generation, int rank) {
  NodeCommand command;
  command.mutable_abort()->set_generation(generation);
  command.mutable_abort()->set_rank(rank);
  state_.command(command);
}

void RunningNode::stop() {
  NodeCommand command;
  command.mutable_stop();
  state_.command(command);
}

void RunningNode::end_node(double grace_seconds) {
  NodeCommand command;
  command.mutable_end_node()->set_grace_seconds(grace_seconds);
  state_.command(command);
}

protocol::WorkerStarted RunningNode::await_started(int slot, std::size_t after) {
  const auto wanted = [slot](const NodeReport& report) {
    return report.has_worker_started() && report.worker_started().slot() == slot;
  };
  return state_.await(wanted, after).worker_started();
}

protocol::WorkerExited RunningNode::await_exited(int slot, std::size_t after) {
  const auto wanted = [slot](const NodeReport& report) {
    return report.has_worker_exited() && report.worker_exited().slot() == slot;
  };
  return state_.await(wanted, after).worker_exited();
}

protocol::Candidate RunningNode::await_candidate(int slot, std::size_t after) {
  const auto wanted = [slot](const NodeReport& report) {
    return report.worker_report().report().has_candidate() && report.worker_report().slot() == slot;
  };
  return state_.await(wanted, after).worker_report().report().candidate();
}

protocol::StepReport RunningNode::await_step(std::uint64_t generation, std::int64_t step) {
  const auto wanted = [=](const NodeReport& report) {
    const auto& said = report.worker_report().report().step();
    return said.generation() == generation && said.step() >= step;
  };
  return state_.await(wanted).worker_report().report().step();
}

protocol::DaemonStarted RunningNode::await_daemon(const std::string& name, int starts) {
  const auto wanted = [&](const NodeReport& report) {
    return report.daemon_started().name() == name && report.daemon_started().starts() == starts;
  };
  return state_.await(wanted).daemon_started();
}

std::vector<pid_t> RunningNode::start_all() {
  const std::size_t before = reports();
  for (int slot = 0; slot < options_.slots; ++slot) start_worker(slot);
  std::vector<pid_t> pids;
  for (int slot = 0; slot < options_.slots; ++slot) {
    await_candidate(slot, before);
    pids.push_back(static_cast<pid_t>(await_started(slot, before).pid()));
  }
  return pids;
}

std::vector<pid_t> RunningNode::children() const {
  const auto keeper = std::to_string(keeper_);
  std::ifstream file("/proc/" + keeper + "/task/" + keeper + "/children");
  std::vector<pid_t> pids;
  for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
  return pids;
}

pid_t RunningNode::child_named(const std::string& name) const {
  for (const pid_t pid : children()) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
    std::string found;
    std::getline(file, found);
    if (found == name) return pid;
  }
  ADD_FAILURE() << "the keeper has no child " << name;
  return 0;
}

bool gone_by(pid_t pid, TimePoint deadline) {
  const FileDescriptor file(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!file) return true;
  pollfd entry{file.get(), POLLIN, 0};
  return ::poll(&entry, 1, poll_timeout(deadline)) == 1;
}

}  // namespace phalanx::node
