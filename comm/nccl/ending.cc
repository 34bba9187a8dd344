// How a generation ends: well, or at once.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "comm/nccl/engine.h"

namespace phalanx::comm::nccl {
namespace {

constexpr Duration kPause = std::chrono::microseconds(100);
// Longest time to send what is on its way when a communicator is no longer needed.
constexpr Duration kFlush = std::chrono::seconds(5);

}  // namespace

void Engine::remember(const Ending& ending) {
  {
    const std::lock_guard lock(ending_mutex_);
    if (!ending_) ending_ = ending;
  }
  ended_.store(true);
  thread_wakes_.notify_all();
}

void Engine::end(const Ending& ending) {
  remember(ending);
  const std::lock_guard lock(mutex_);  // the thread has seen it, or sleeps and is woken
  thread_wakes_.notify_all();
}

// A failure of the device's, of NCCL's or of the system's ends the generation.
void Engine::guarded(void (Engine::*step)()) {
  try {
    (this->*step)();
  } catch (const Ending& ending) {
    remember(ending);
  } catch (const std::exception& error) {
    remember({CommError::Kind::kAborted, membership_.rank, error.what()});
  }
}

// So that all ranks name the same cause, whatever each of them would see by itself.
void Engine::tell_others() {
  try {
    network_->tell_ending(*ending_);
  } catch (const std::exception& error) {
    spdlog::warn("nccl: others are not told of the end: {}", error.what());
  }
}

// In one call for all communicators: aborting one waits for the device, which may be waiting in an
// operation of another. Afterwards nothing is left on the streams that touches a buffer.
void Engine::abort_all() {
  ncclGroupStart();
  for (const auto& channel : channels_)
    if (channel->communicator != nullptr) ncclCommAbort(channel->communicator);
  if (const ncclResult_t result = ncclGroupEnd(); result != ncclSuccess)
    spdlog::warn("nccl: aborting: {}", ncclGetErrorString(result));
  for (const auto& channel : channels_) channel->communicator = nullptr;
  await_streams();
  fail_pending();
}

void Engine::await_streams() {
  const TimePoint deadline = Clock::now() + membership_.deadline;
  for (const auto& channel : channels_) {
    while (cudaStreamQuery(channel->stream.get()) == cudaErrorNotReady) {
      (void)cudaGetLastError();
      if (Clock::now() >= deadline) {
        spdlog::error("nccl: the device still runs an aborted operation after {:g} s",
                      seconds(membership_.deadline));
        return;
      }
      std::this_thread::sleep_for(kPause);
    }
  }
}

void Engine::fail_pending() {
  const auto fail = [](PendingOperation& operation) {
    operation.launch_ = nullptr;
    operation.stage_.store(PendingOperation::Stage::kFailed);
  };
  for (const auto& operation : waiting_) fail(*operation);
  for (const auto& channel : channels_) {
    for (const auto& operation : channel->launched) fail(*operation);
    channel->launched.clear();
    channel->waiting = 0;
    channel->meeting.abandon();
  }
  waiting_.clear();
  over_ = true;
  callers_wake_.notify_all();
}

// Ends communicators that nobody needs any more. False if one of them is not at rest.
bool Engine::retire() {
  guarded(&Engine::step);
  if (ended_.load() || busy()) return false;
  for (const auto& channel : channels_) {
    for (const Channel::Memory& memory : channel->memory)
      if (memory.registration != nullptr)
        ncclCommDeregister(channel->communicator, memory.registration);
    const ncclResult_t result = ncclCommFinalize(channel->communicator);
    if (result != ncclSuccess && result != ncclInProgress) return false;
  }
  if (!flushed(Clock::now() + std::min(membership_.deadline, kFlush))) return false;
  ncclGroupStart();
  for (const auto& channel : channels_) ncclCommDestroy(channel->communicator);
  ncclGroupEnd();
  for (const auto& channel : channels_) channel->communicator = nullptr;
  return true;
}

bool Engine::flushed(TimePoint deadline) {
  for (const auto& channel : channels_)
    while (true) {
      ncclResult_t state = ncclInProgress;
      if (ncclCommGetAsyncError(channel->communicator, &state) != ncclSuccess) return false;
      if (state == ncclSuccess) break;
      if (state != ncclInProgress || Clock::now() >= deadline) return false;
      std::this_thread::sleep_for(kPause);
    }
  return true;
}

void Engine::close() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  thread_wakes_.notify_all();
  thread_.join();
  cudaSetDevice(device_);
  const std::lock_guard lock(mutex_);
  if (!over_ && ended_.load()) tell_others();
  const bool retired = !over_ && !ended_.load() && retire();
  remember({CommError::Kind::kAborted, membership_.rank, "its communicator was destroyed"});
  if (!over_ && !retired) abort_all();
  fail_pending();
  network_.reset();
  for (const auto& channel : channels_) {
    for (const Channel::Memory& memory : channel->memory) ncclMemFree(memory.begin);
    channel->memory.clear();
  }
  channels_.clear();
  cudaFree(barrier_word_);
}

}  // namespace phalanx::comm::nccl
