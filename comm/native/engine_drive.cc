// What whoever drives an engine does: operations, connections, sleep, and a look after the peers.
#include <fmt/format.h>
#include <immintrin.h>
#include <sched.h>

#include <algorithm>

#include "comm/native/engine.h"

namespace phalanx::comm {
namespace {

// How often a waiting rank shows that it lives and looks whether its peers do.
constexpr Duration kTick = std::chrono::milliseconds(20);

}  // namespace

// The short time of looking before sleeping: a peer that runs answers within it. Where ranks share
// cores, they are let run instead.
class Spin {
 public:
  explicit Spin(bool crowded) : crowded_(crowded) {}
  void reset() { looks_ = 0; }
  // Looking at the clock takes as long as looking at the peers.
  bool worth_a_clock() const { return crowded_ || looks_ % 16 == 0; }
  bool again() {
    constexpr int kYields = 8;
    constexpr Duration kLongest = std::chrono::microseconds(40), kAlone = kLongest / 16;
    ++looks_;
    if (crowded_) {
      if (looks_ > kYields) return false;
      ::sched_yield();
      return true;
    }
    _mm_pause();
    if (!worth_a_clock()) return true;
    const TimePoint now = Clock::now();
    if (looks_ == 16) begin_ = now;
    if (now >= begin_ + kLongest) return false;
    if (now >= begin_ + kAlone) ::sched_yield();  // the peer's thread may wait for this very core
    return true;
  }

 private:
  bool crowded_;
  int looks_ = 0;
  TimePoint begin_;
};

// A failure of the system's (no descriptors, no memory) while driving ends the generation.
template <typename Drive>
void Engine::guarded(const Drive& drive) {
  try {
    drive();
  } catch (const std::exception& error) {
    remember({CommError::Kind::kAborted, membership_.rank, error.what()});
  }
}

void Engine::drive_once(std::unique_lock<std::mutex>& lock) {
  driving_ = true;
  lock.unlock();
  guarded([this] { pass(); });
  lock.lock();
  driving_ = false;
  callers_wake_.notify_all();
}

void Engine::drive(const Stop& stop) {
  Spin spin(crowded_);
  while (!stop())
    guarded([&] {
      while (!stop()) look(stop, spin);
    });
  watch_.publish(-1);
}

void Engine::look(const Stop& stop, Spin& spin) {
  const bool moved = pass();
  if (moved || spin.worth_a_clock())
    if (const TimePoint now = Clock::now(); now >= last_tick_ + kTick) tick(now);
  if (moved)
    spin.reset();
  else if (!spin.again())
    sleep(stop);
}

// True when something moved.
bool Engine::pass() {
  if (adopt_ending()) return true;
  bool moved = take_submitted();
  if (network_) moved |= network_->progress();
  for (std::size_t i = 0; i < running_.size();) {
    Strand& strand = running_[i]->strand_;
    if (!strand.done() && strand.wait().reached()) {
      strand.resume();
      moved = true;
    }
    if (strand.done()) {
      finish(i);
      if (ended_.load()) return true;
      moved = true;
    } else {
      strand.wait().for_each([this](const Wait& wait) { look_after_stream(wait); });
      ++i;
    }
  }
  return moved;
}

void Engine::sleep(const Stop& stop) {
  Doorbell& bell = memory_.own().doorbell;
  const std::uint32_t heard = bell.listen();
  if (stop() || something_to_do()) {
    bell.stop_listening();
    return;
  }
  TimePoint latest = last_tick_ + kTick;
  if (network_) latest = network_->watch(latest);
  bell.sleep(heard, latest - Clock::now());
}

bool Engine::something_to_do() const {
  if (ended_.load() || news_.load() || memory_.ending()) return true;
  return std::any_of(running_.begin(), running_.end(),
                     [](const auto& operation) { return operation->strand_.wait().reached(); });
}

bool Engine::take_submitted() {
  if (!news_.load()) return false;
  decltype(submitted_) taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(submitted_);
    news_.store(false);
  }
  for (auto& [operation, queue] : taken) {
    operation->queue_ = queue;
    queue->push_back(operation);
    if (queue->size() == 1) begin(operation);
  }
  return true;
}

void Engine::begin(const std::shared_ptr<PendingOperation>& operation) {
  recorder_.started(operation->record_);
  running_.push_back(operation);
  operation->strand_.start(operation->body_(operation->strand_));
}

// Ends the running operation `index`, whose task is done, and begins the next of its queue. One
// that failed ends the generation instead, and fails with all others.
void Engine::finish(std::size_t index) {
  const std::shared_ptr<PendingOperation> operation = running_[index];
  try {
    operation->strand_.task().result();
  } catch (const Ending& ending) {
    remember(ending);
    return;
  } catch (const std::exception& error) {
    remember({CommError::Kind::kAborted, membership_.rank, error.what()});
    return;
  }
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
  recorder_.finished(operation->record_, operation->info_);
  operation->strand_.abandon();
  operation->body_ = nullptr;
  const auto queue = std::move(operation->queue_);
  queue->pop_front();
  {
    const std::lock_guard lock(mutex_);
    operation->outcome_.store(PendingOperation::Outcome::kFinished);
    pending_.fetch_sub(1);
  }
  if (callers_.load() > 1) callers_wake_.notify_all();
  if (!queue->empty()) begin(queue->front());
}

// Learns that the generation is over, from this process, the node or the network, passes it on, and
// fails everything. True when it is over.
bool Engine::adopt_ending() {
  if (failed_) return true;
  if (!ended_.load()) {
    if (const auto ending = memory_.ending())
      remember(*ending);
    else if (const auto told = network_ ? network_->told_ending() : std::nullopt)
      remember(*told);
    else
      return false;
  }
  if (network_) network_->tell_ending(*ending_);
  fail_everything();
  return true;
}

void Engine::fail_everything() {
  const std::lock_guard lock(mutex_);
  if (network_) network_->forget_data();
  for (const auto& operation : running_)
    for (const auto& queued : *operation->queue_) fail(*queued);
  for (const auto& [operation, queue] : submitted_) fail(*operation);
  for (const auto& operation : running_) operation->queue_->clear();
  running_.clear();
  submitted_.clear();
  pending_.store(0);
  failed_ = true;
  callers_wake_.notify_all();
}

void Engine::tick(TimePoint now) {
  last_tick_ = now;
  if (!ended_.load()) look_after_peers(now);
}

void Engine::look_after_stream(const Wait& wait) {
  if (wait.stream == nullptr || !wait.stream->failure() || wait.reached()) return;
  if (const auto ending = network_->failure(*wait.stream, Clock::now()))
    remember(watch_.any_death().value_or(*ending));
}

void Engine::look_after_peers(TimePoint now) {
  const Wait* oldest = nullptr;
  std::optional<Ending> death;
  const auto look = [&](const Wait& wait) {
    if (wait.reached() || wait.peer < 0) return;
    if (oldest == nullptr || wait.deadline < oldest->deadline) oldest = &wait;
    if (!death) death = watch_.death(wait.peer);
  };
  for (const auto& operation : running_) operation->strand_.wait().for_each(look);
  if (death) return remember(*death);
  if (oldest == nullptr) return watch_.publish(-1);
  const int culprit = watch_.culprit(oldest->peer, network_.get());
  if (now >= oldest->deadline)
    return remember({CommError::Kind::kTimeout, culprit,
                     fmt::format("expected it within {:g} s, waited through rank {}{}",
                                 seconds(membership_.deadline), oldest->peer,
                                 network_ ? network_->refusals() : "")});
  watch_.publish(culprit);
  const Duration pause = membership_.deadline / 8;
  if (network_ && now >= oldest->deadline - 7 * pause && now >= last_told_ + pause) {
    last_told_ = now;
    network_->tell_wait(culprit);
  }
}

}  // namespace phalanx::comm
