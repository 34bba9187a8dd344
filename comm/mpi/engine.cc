#include "comm/mpi/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace phalanx::comm {
namespace {

// A driver looks all the time for as long as a message between two running ranks may take, then at
// growing intervals: a hundredth of a core when a wait takes long.
constexpr Duration kSpin = std::chrono::microseconds(100);
constexpr Duration kShortestNap = std::chrono::microseconds(50);
constexpr Duration kLongestNap = std::chrono::milliseconds(1);
constexpr std::size_t kAlignment = 64;

}  // namespace

MpiOperation::MpiOperation(std::shared_ptr<MpiEngine> engine, const OperationInfo& info, Body body)
    : engine_(std::move(engine)), info_(info), body_(std::move(body)) {}

void MpiOperation::wait() { engine_->wait(*this); }

MpiEngine::MpiEngine(Membership membership)
    : membership_(std::move(membership)), recorder_(membership_.black_box, membership_.spans) {
  for (const Peer& peer : membership_.peers) addresses_.push_back(peer.port);
  thread_ = std::thread([this] { run(); });
}

MpiEngine::~MpiEngine() { close(); }

bool MpiEngine::close() {
  Lock lock(mutex_);
  closing_ = true;
  const bool clean = !ending_ && running_.empty();
  if (!ending_) ending_ = {CommError::Kind::kAborted, membership_.rank, "this rank has left"};
  fail_everything();
  lock.unlock();
  if (thread_.joinable()) thread_.join();
  return clean;
}

void MpiEngine::submit(const std::shared_ptr<MpiOperation>& operation,
                       std::shared_ptr<MpiQueue> queue) {
  const Lock lock(mutex_);
  operation->record_ = recorder_.issued(operation->info_);
  operation->queue_ = std::move(queue);
  operation->queue_->push_back(operation);
  if (operation->queue_->size() == 1) running_.push_back(operation);
  if (ending_) return fail_everything();
  pass();
  if (callers_ == 0) changed_.notify_all();
}

void MpiEngine::wait(MpiOperation& operation) {
  Lock lock(mutex_);
  ++callers_;
  drive(lock, [&] { return operation.done(); });
  --callers_;
  if (callers_ == 0 && !running_.empty()) changed_.notify_all();
  if (operation.outcome_ == MpiOperation::Outcome::kFailed)
    throw CommError(ending_->kind, ending_->peer, operation.info_.operation,
                    operation.info_.sequence, membership_.generation, ending_->detail);
}

void MpiEngine::end(const Ending& ending) {
  const Lock lock(mutex_);
  if (!ending_) ending_ = ending;
  fail_everything();
}

std::span<std::byte> MpiEngine::allocate(std::size_t bytes) {
  const std::size_t whole = (bytes / kAlignment + 1) * kAlignment;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(kAlignment, whole));
  if (memory == nullptr) throw SystemError(fmt::format("a group's memory: {} bytes more", bytes));
  std::fill_n(memory, whole, std::byte{0});
  const Lock lock(mutex_);
  memory_.emplace_back(memory, &std::free);
  return {memory, bytes};
}

void MpiEngine::run() {
  Lock lock(mutex_);
  const auto is_idle = [this] { return closing_ || running_.empty() || callers_ > 0; };
  while (!closing_) {
    drive(lock, is_idle);
    if (!closing_ && is_idle()) changed_.wait(lock);
  }
}

void MpiEngine::drive(Lock& lock, const std::function<bool()>& stop) {
  TimePoint moved = Clock::now();
  while (!stop()) {
    const bool news = pass();
    const TimePoint now = Clock::now();
    if (news) moved = now;
    if (now - moved < kSpin) {
      lock.unlock();
      std::this_thread::yield();
      lock.lock();
    } else {
      changed_.wait_for(lock, std::clamp((now - moved) / 16, kShortestNap, kLongestNap));
    }
  }
}

// Looks at every running operation once; true when one of them has got on.
bool MpiEngine::pass() {
  bool moved = false;
  try {
    for (std::size_t i = 0; i < running_.size(); ++i) {
      moved = advance(*running_[i]) || moved;
      if (running_[i]->task_.done()) conclude(i--);
    }
  } catch (const Ending& ending) {
    ending_ = ending;
    fail_everything();
  }
  return moved;
}

bool MpiEngine::advance(MpiOperation& operation) {
  if (!operation.begun_) {
    begin(operation);
  } else if (operation.exchange_->advance()) {
    operation.waiter_.resume();
  } else {
    const Duration idle = Clock::now() - operation.exchange_->idle_since();
    if (idle > membership_.deadline)
      throw Ending{CommError::Kind::kTimeout, operation.exchange_->waits_for(),
                   fmt::format("no message for {:.1f} s", seconds(idle))};
    return false;
  }
  if (operation.task_.done()) operation.task_.result();  // throws what has ended it
  return true;
}

void MpiEngine::begin(MpiOperation& operation) {
  recorder_.started(operation.record_);
  operation.begun_ = true;
  operation.task_ = operation.body_(operation);
}

// The operation has done its work; the next one of its queue takes its place.
void MpiEngine::conclude(std::size_t index) {
  const auto operation = running_[index];
  recorder_.finished(operation->record_, operation->info_);
  operation->queue_->pop_front();
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
  if (!operation->queue_->empty()) running_.push_back(operation->queue_->front());
  operation->body_ = nullptr;
  operation->outcome_ = MpiOperation::Outcome::kFinished;
  changed_.notify_all();
}

void MpiEngine::fail_everything() {
  for (const auto& first : std::exchange(running_, {}))
    for (const auto& operation : std::exchange(*first->queue_, {})) {
      operation->task_ = {};
      operation->body_ = nullptr;
      operation->outcome_ = MpiOperation::Outcome::kFailed;
    }
  changed_.notify_all();
}

}  // namespace phalanx::comm
