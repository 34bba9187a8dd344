// How operations get onto their streams, and off them.
#include "comm/nccl/engine.h"

namespace phalanx::comm::nccl {
namespace {

// Operations of a channel on its stream at once. A device's queue has room for about a thousand
// launches; the one that finds it full blocks, and nobody could abort what the device waits for.
constexpr std::size_t kMostLaunched = 32;

bool takes_one(const Channel& channel) {
  return channel.state == Channel::State::kReady && channel.launched.size() < kMostLaunched;
}

// What the communicator will say of itself soon.
bool is_of_the_network(ncclResult_t result) {
  return result == ncclRemoteError || result == ncclSystemError;
}

}  // namespace

// All that goes on without waiting.
void Engine::step() {
  for (const auto& channel : channels_) {
    settle(*channel);
    collect(*channel);
  }
  launch_waiting();
}

void Engine::launch_waiting() {
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    if (!takes_one(*(*next)->channel_)) {
      ++next;
      continue;
    }
    launch(*next);
    next = waiting_.erase(next);
  }
}

void Engine::launch(const std::shared_ptr<PendingOperation>& operation) {
  use_device(device_);
  Channel& channel = *operation->channel_;
  register_memory(channel);
  --channel.waiting;
  channel.launched.push_back(operation);
  channel.state = Channel::State::kLaunching;
  operation->stage_.store(PendingOperation::Stage::kLaunching);
  operation->ready_.hold(channel.stream.get());
  if (!operation->launch_) return launched(channel);
  const ncclResult_t result = operation->launch_(channel.communicator, channel.stream.get());
  if (!is_of_the_network(result)) check_nccl(result, operation_name(operation->info_.operation));
  settle(channel);
}

void Engine::launched(Channel& channel) {
  PendingOperation& operation = *channel.launched.back();
  operation.over_.record(channel.stream.get());
  operation.stage_.store(PendingOperation::Stage::kLaunched);
  channel.state = Channel::State::kReady;
}

// At the same place among the operations on all members, as NCCL wants it: before the next one.
void Engine::register_memory(Channel& channel) {
  for (Channel::Memory& memory : channel.memory) {
    if (memory.registered) continue;
    check_nccl(
        ncclCommRegister(channel.communicator, memory.begin, memory.bytes, &memory.registration),
        "ncclCommRegister");
    memory.registered = true;
  }
}

// Asks how far NCCL is with what it does by itself. What has failed is for suspicion() to see.
void Engine::settle(Channel& channel) {
  const bool launching = channel.state == Channel::State::kLaunching;
  if (!launching && channel.state != Channel::State::kForming) return;
  ncclResult_t state = ncclInProgress;
  check_nccl(ncclCommGetAsyncError(channel.communicator, &state), "ncclCommGetAsyncError");
  if (state != ncclSuccess) return;
  if (launching)
    launched(channel);
  else
    channel.state = Channel::State::kReady;
}

// Takes finished operations off the channel. An operation waits for its peers, and its deadline
// runs, from when its data is there and those before it are over.
void Engine::collect(Channel& channel) {
  bool any = false;
  while (!channel.launched.empty()) {
    PendingOperation& first = *channel.launched.front();
    const bool over =
        first.stage_.load() == PendingOperation::Stage::kLaunched && first.over_.reached();
    if (first.deadline_ == TimePoint::max() && first.ready_.reached()) {
      recorder_.started(first.record_);
      first.deadline_ = Clock::now() + membership_.deadline;
    }
    if (!over) break;
    recorder_.finished(first.record_, first.info_);
    first.launch_ = nullptr;
    first.stage_.store(PendingOperation::Stage::kFinished);
    channel.launched.pop_front();
    any = true;
  }
  if (any) callers_wake_.notify_all();
}

}  // namespace phalanx::comm::nccl
