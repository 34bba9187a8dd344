// A worker without Torch, for tests of the launcher: it keeps every promise of a worker to its
// keeper, "trains" by counting, and misbehaves on order (orders.h). Knows two keys of the job:
// `steps`, and `fake_step_ms`.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/memory_file.h"
#include "comm/native/node_memory.h"
#include "protocol/black_box.h"
#include "protocol/exit_code.h"
#include "protocol/messages.pb.h"
#include "protocol/nursery.h"
#include "tests/fake_worker/orders.h"

namespace phalanx::fake_worker {
namespace {

using protocol::FromWorker;
using protocol::Phase;
using protocol::ToWorker;

constexpr Duration kHeartbeat = std::chrono::milliseconds(200);

class FakeWorker {
 public:
  explicit FakeWorker(protocol::ForkedWorker forked)
      : keeper_(std::move(forked.keeper)),
        mapping_(forked.black_box),
        box_(protocol::black_box_in(mapping_.bytes())) {}

  // Until it may leave; the exit status.
  int run();

 private:
  void obey(const ToWorker& message, Frame& frame);
  void start(const protocol::Start& start);
  void join(const protocol::Roster& roster, FileDescriptor memory);
  void leave_generation(Phase phase);
  void become_candidate();
  void look_at_memory();
  void step();
  void misbehave();
  void finish();
  void tell(const FromWorker& message);
  void beat() { box_.heartbeat = Clock::now().time_since_epoch().count(); }
  bool training() const { return memory_.has_value(); }

  FrameChannel keeper_;
  MemoryMapping mapping_;
  protocol::BlackBox& box_;
  protocol::Start start_;
  std::unique_ptr<Orders> orders_;
  std::int64_t steps_ = 0;
  Duration step_time_{};
  std::uint64_t generation_ = 0;
  int rank_ = -1;
  std::int64_t held_step_ = -1;
  std::optional<comm::NodeMemory> memory_;
  std::optional<int> exit_status_;
};

int FakeWorker::run() {
  while (!exit_status_) {
    beat();
    const TimePoint wake = Clock::now() + (training() ? step_time_ : kHeartbeat);
    Frame frame;
    const auto status = keeper_.receive(frame, wake);
    if (status == FrameChannel::Status::kEnd) return 0;
    ToWorker message;
    if (status == FrameChannel::Status::kFrame && message.ParseFromString(frame.payload))
      obey(message, frame);
    if (training()) look_at_memory();
    if (training() && status == FrameChannel::Status::kNothingYet) step();
  }
  return *exit_status_;
}

void FakeWorker::obey(const ToWorker& message, Frame& frame) {
  if (message.has_start()) start(message.start());
  if (message.has_roster()) join(message.roster(), std::move(frame.descriptors.at(0)));
  if (message.has_abort() && training() && message.abort().generation() >= generation_) {
    leave_generation(Phase::kWaitingForRoster);
    become_candidate();
  }
  if (message.has_stop() && training()) finish();
  if (message.has_leave() && !orders_->has("never_leave")) exit_status_ = 0;
}

void FakeWorker::start(const protocol::Start& start) {
  start_ = start;
  orders_ = std::make_unique<Orders>(start.job(), start.node(), start.slot());
  steps_ = number_in(start.job(), "steps", 1'000'000'000);
  step_time_ = std::chrono::milliseconds(number_in(start.job(), "fake_step_ms", 2));
  fmt::print("fake worker {} of slot {}\n", ::getpid(), start.slot());
  std::fflush(stdout);
  if (orders_->has("exit_at_start")) {
    exit_status_ = 3;
  } else {
    become_candidate();
  }
}

void FakeWorker::become_candidate() {
  FromWorker message;
  auto& candidate = *message.mutable_candidate();
  candidate.set_left_generation(generation_);
  candidate.set_held_step(held_step_);
  candidate.set_host(start_.host());
  candidate.set_port(1);
  box_.phase = Phase::kWaitingForRoster;
  tell(message);
}

void FakeWorker::join(const protocol::Roster& roster, FileDescriptor memory) {
  int local_ranks = 0, local_rank = 0;
  for (const auto& place : roster.places()) {
    if (place.node() != start_.node()) continue;
    if (place.slot() == start_.slot()) {
      rank_ = place.rank();
      local_rank = local_ranks;
    }
    ++local_ranks;
  }
  generation_ = roster.generation();
  memory_.emplace(memory, local_ranks, local_rank);
  held_step_ = roster.step();
  box_.generation = generation_;
  box_.phase = Phase::kForward;
  if (rank_ != 0) return;
  FromWorker message;
  message.mutable_restored()->set_generation(generation_);
  tell(message);
}

void FakeWorker::leave_generation(Phase phase) {
  memory_.reset();
  rank_ = -1;
  box_.phase = phase;
}

void FakeWorker::look_at_memory() {
  const auto ending = memory_->ending();
  if (!ending) return;
  FromWorker message;
  auto& fault = *message.mutable_fault();
  fault.set_generation(generation_);
  fault.set_kind("peer died");
  fault.set_peer(ending->peer);
  fault.set_message(ending->detail);
  tell(message);
  leave_generation(Phase::kWaitingForRoster);
  become_candidate();
}

void FakeWorker::step() {
  box_.step = held_step_ + 1;
  misbehave();
  if (exit_status_) return;
  ++held_step_;
  if (rank_ == 0) {
    FromWorker message;
    auto& report = *message.mutable_step();
    report.set_generation(generation_);
    report.set_step(held_step_);
    report.set_loss(1.0 / static_cast<double>(held_step_));
    report.set_tokens(held_step_ * 100);
    report.set_samples(held_step_);
    report.set_seconds(seconds(step_time_));
    tell(message);
  }
  if (held_step_ >= steps_) finish();
}

void FakeWorker::misbehave() {
  const std::int64_t now = held_step_ + 1;
  if (orders_->due("die_at", now)) exit_status_ = 3;
  if (generation_ != 1) return;
  if (orders_->due("exit_at", now)) exit_status_ = 3;
  if (orders_->due("kill_at", now)) ::raise(SIGKILL);
  if (orders_->due("stop_at", now)) ::raise(SIGSTOP);
  if (orders_->due("garbage_at", now)) (void)keeper_.send("\xff\xff no message");
  if (orders_->due("noise_at", now)) (void)::send(keeper_.fd(), "\1", 1, MSG_NOSIGNAL);
  if (orders_->due("fail_at", now)) {
    FromWorker message;
    auto& failed = *message.mutable_failed();
    failed.set_exit_code(static_cast<int>(protocol::ExitCode::kTrainingCode));
    failed.set_step(now);
    failed.set_rank(rank_);
    failed.set_message("a fake failure");
    tell(message);
  }
  while (orders_->due("hang_at", now)) {
    beat();
    ::poll(nullptr, 0, 100);
  }
  if (exit_status_) fmt::print("fake worker: exits at step {}\n", now);
}

void FakeWorker::finish() {
  FromWorker message;
  message.mutable_finished()->set_generation(generation_);
  message.mutable_finished()->set_step(held_step_);
  tell(message);
  leave_generation(Phase::kLeaving);
}

// That the keeper has gone shows when receiving.
void FakeWorker::tell(const FromWorker& message) {
  (void)keeper_.send(message.SerializeAsString());
}

int run(int count, char** arguments) {
  if (count != 2 || std::string(arguments[1]) != "--nursery") {
    fmt::print(stderr, "usage: fake_worker --nursery, with the keeper's channel as descriptor 3\n");
    return 2;
  }
  auto forked = protocol::run_nursery(3);
  return forked ? FakeWorker(std::move(*forked)).run() : 0;
}

}  // namespace
}  // namespace phalanx::fake_worker

int main(int count, char** arguments) {
  try {
    return phalanx::fake_worker::run(count, arguments);
  } catch (const phalanx::Error& error) {
    fmt::print(stderr, "error: fake_worker: {}\n", error.what());
    return 1;
  }
}
