#include "comm/nccl/engine.h"

#include <sched.h>

#include <algorithm>

#include "base/check.h"
#include "comm/binomial_tree.h"
#include "comm/nccl/sharing.h"

namespace phalanx::comm::nccl {

PendingOperation::PendingOperation(std::shared_ptr<Engine> engine, std::shared_ptr<Channel> channel,
                                   const OperationInfo& info, Launch launch)
    : engine_(std::move(engine)),
      channel_(std::move(channel)),
      info_(info),
      launch_(std::move(launch)) {}

void PendingOperation::wait() { engine_->wait(*this, Stage::kFinished); }
void PendingOperation::wait_on(DeviceStream stream) {
  engine_->hold(*this, static_cast<cudaStream_t>(stream.handle));
}
bool PendingOperation::done() const {
  engine_->progress();
  return stage_.load() >= Stage::kFinished;
}

Engine::Engine(Membership membership, Listener& listener, int devices)
    : membership_(std::move(membership)),
      most_blocks_(most_blocks(ranks_on_device(membership_.peers, membership_.rank, devices))),
      recorder_(membership_.black_box, membership_.spans) {
  for (Peer& peer : membership_.peers) peer.node = peer.rank;
  membership_.link = {};
  network_ = std::make_unique<Network>(membership_, listener, bell_);
  check_cuda(cudaGetDevice(&device_), "cudaGetDevice");
  check_cuda(cudaMalloc(&barrier_word_, sizeof(std::int32_t)), "cudaMalloc");
  check_cuda(cudaMemset(barrier_word_, 0, sizeof(std::int32_t)), "cudaMemset");
  thread_ = std::thread([this] { run(); });
}

Engine::~Engine() { close(); }

std::shared_ptr<Channel> Engine::open(const std::vector<int>& ranks, std::uint64_t key) {
  use_device(device_);
  const auto self = std::find(ranks.begin(), ranks.end(), membership_.rank);
  check(self != ranks.end(), "a rank makes only groups that it belongs to");
  auto channel = std::make_shared<Channel>(ranks, static_cast<int>(self - ranks.begin()), key,
                                           membership_.deadline);
  const auto neighbour = [&](int rank) {
    channel->neighbours.push_back(ranks[static_cast<std::size_t>(rank)]);
  };
  if (const auto parent = binomial_parent(channel->rank)) neighbour(*parent);
  for (const int child : binomial_children(channel->rank, static_cast<int>(ranks.size())))
    neighbour(child);
  const std::lock_guard lock(mutex_);
  if (over_) return channel;
  channel->meeting.start(meet(channel->meeting, *channel));
  channels_.push_back(channel);
  thread_wakes_.notify_all();
  return channel;
}

std::shared_ptr<PendingOperation> Engine::start(const std::shared_ptr<Channel>& channel,
                                                const OperationInfo& info,
                                                PendingOperation::Launch launch) {
  use_device(device_);
  auto operation =
      std::make_shared<PendingOperation>(shared_from_this(), channel, info, std::move(launch));
  operation->ready_.record(cudaStreamLegacy);
  const std::lock_guard lock(mutex_);
  operation->record_ = recorder_.issued(info);
  if (over_) {
    operation->stage_.store(PendingOperation::Stage::kFailed);
    return operation;
  }
  waiting_.push_back(operation);
  ++channel->waiting;
  if (!ended_.load()) guarded(&Engine::launch_waiting);
  thread_wakes_.notify_all();
  return operation;
}

std::span<std::byte> Engine::allocate(Channel& channel, std::size_t bytes) {
  use_device(device_);
  Channel::Memory memory{.bytes = std::max<std::size_t>(bytes, 1)};
  check_nccl(ncclMemAlloc(&memory.begin, memory.bytes), "ncclMemAlloc");
  const cudaError_t zeroed = cudaMemset(memory.begin, 0, memory.bytes);
  const std::lock_guard lock(mutex_);
  channel.memory.push_back(memory);
  check_cuda(zeroed, "cudaMemset");
  return {static_cast<std::byte*>(memory.begin), bytes};
}

void Engine::wait(PendingOperation& operation, PendingOperation::Stage stage) {
  constexpr Duration kSpin = std::chrono::microseconds(50);
  constexpr Duration kGlance = std::chrono::microseconds(100);
  std::unique_lock lock(mutex_);
  const TimePoint spin_until = Clock::now() + kSpin;
  while (operation.stage_.load() < stage) {
    if (!ended_.load()) guarded(&Engine::step);
    if (operation.stage_.load() >= stage) break;
    if (Clock::now() < spin_until) {
      lock.unlock();
      ::sched_yield();
      lock.lock();
    } else {
      callers_wake_.wait_for(lock, kGlance);
    }
  }
  if (operation.stage_.load() != PendingOperation::Stage::kFailed) return;
  const std::lock_guard ending_lock(ending_mutex_);
  throw CommError(ending_->kind, ending_->peer, operation.info_.operation, operation.info_.sequence,
                  membership_.generation, ending_->detail);
}

void Engine::hold(PendingOperation& operation, cudaStream_t stream) {
  wait(operation, PendingOperation::Stage::kLaunched);
  use_device(device_);
  operation.over_.hold(stream);
}

void Engine::progress() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock() && !ended_.load()) guarded(&Engine::step);
}

}  // namespace phalanx::comm::nccl
