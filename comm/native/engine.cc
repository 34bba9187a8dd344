#include "comm/native/engine.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "base/process.h"
#include "base/short_turns.h"

namespace phalanx::comm {
namespace {

std::vector<int> ranks_of_own_node(const Membership& membership) {
  const int node = membership.peers.at(static_cast<std::size_t>(membership.rank)).node;
  std::vector<int> ranks;
  for (const Peer& peer : membership.peers)
    if (peer.node == node) ranks.push_back(peer.rank);
  return ranks;
}

int place_of(const std::vector<int>& ranks, int rank) {
  return static_cast<int>(std::find(ranks.begin(), ranks.end(), rank) - ranks.begin());
}

bool more_ranks_than_cores(const Membership& membership) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  ::sched_getaffinity(0, sizeof cores, &cores);
  const std::string& host = membership.peers[static_cast<std::size_t>(membership.rank)].host;
  const auto same = [&](const Peer& peer) { return peer.host == host; };
  return std::count_if(membership.peers.begin(), membership.peers.end(), same) > CPU_COUNT(&cores);
}

std::optional<EmulatedLink> emulated_link(const Membership& membership, const NodeMemory& memory) {
  if (membership.link.bytes_per_second <= 0) return std::nullopt;
  return EmulatedLink(membership.link, memory.link_free_at());
}

}  // namespace

PendingOperation::PendingOperation(std::shared_ptr<Engine> engine, const OperationInfo& info,
                                   Body body)
    : engine_(std::move(engine)),
      info_(info),
      body_(std::move(body)),
      strand_(engine_->membership().deadline) {}

void PendingOperation::wait() { engine_->wait(*this); }

Engine::Engine(Membership membership, Listener& listener)
    : membership_(std::move(membership)),
      local_ranks_(ranks_of_own_node(membership_)),
      memory_(membership_.node_memory, static_cast<int>(local_ranks_.size()),
              place_of(local_ranks_, membership_.rank)),
      watch_(membership_, local_ranks_, memory_),
      recorder_(membership_.black_box, membership_.spans),
      crowded_(more_ranks_than_cores(membership_)) {
  Control& own = memory_.own();
  if (local_ranks_.size() < membership_.peers.size())
    network_ = std::make_unique<Network>(membership_, listener, own.doorbell,
                                         emulated_link(membership_, memory_));
  own.pid.store(::getpid());
  own.start_time.store(start_time(::getpid()));
  own.joined.store(1);
  memory_.ring_all();
}

Engine::~Engine() { close(); }

void Engine::start() {
  thread_ = std::thread([this] { run(); });
}

void Engine::submit(const std::shared_ptr<PendingOperation>& operation,
                    std::shared_ptr<OperationQueue> queue, Urgency urgency) {
  std::unique_lock lock(mutex_);
  if (operation->info_.group >= 0) operation->record_ = recorder_.issued(operation->info_);
  if (failed_ || closing_.load()) {
    fail(*operation);
    return;
  }
  submitted_.emplace_back(operation, std::move(queue));
  ++submissions_;
  pending_.fetch_add(1);
  news_.store(true);
  if (driving_) {
    memory_.own().doorbell.ring();
    return;
  }
  if (urgency == Urgency::kSoon) drive_once(lock);
  if (pending_.load() > 0 && (urgency == Urgency::kNow || !lingering_)) thread_wakes_.notify_one();
}

void Engine::wait(PendingOperation& operation) {
  std::unique_lock lock(mutex_);
  callers_.fetch_add(1);
  if (driving_) memory_.own().doorbell.ring();
  while (!operation.done()) {
    if (driving_) {
      callers_wake_.wait(lock);
      continue;
    }
    driving_ = true;
    lock.unlock();
    drive([&] { return operation.done(); });
    lock.lock();
    driving_ = false;
    callers_wake_.notify_all();
  }
  callers_.fetch_sub(1);
  if (pending_.load() > 0 && !driving_) thread_wakes_.notify_one();
  if (operation.outcome_.load() == PendingOperation::Outcome::kFailed)
    throw CommError(ending_->kind, ending_->peer, operation.info_.operation,
                    operation.info_.sequence, membership_.generation, ending_->detail);
}

void Engine::end(const Ending& ending) {
  remember(ending);
  memory_.own().doorbell.ring();
  std::unique_lock lock(mutex_);
  if (!driving_) drive_once(lock);
}

void Engine::close() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      closing_.store(true);
    }
    thread_wakes_.notify_all();
    memory_.own().doorbell.ring();
    thread_.join();
  }
  std::unique_lock lock(mutex_);
  if (!ending_)
    ending_ = Ending{CommError::Kind::kAborted, membership_.rank, "its communicator was destroyed"};
  ended_.store(true);
  memory_.own().doorbell.ring();
  callers_wake_.wait(lock, [&] { return !driving_; });
  lock.unlock();
  if (!failed_) fail_everything();
  network_.reset();
  memory_.own().left.store(1);
  memory_.ring_all();
}

// The engine's thread: sleeps while nothing is pending; drives while something is and nobody waits
// for it. For some time after work it looks around every half millisecond, so that a rank which
// starts and waits for small operations one after another need not wake it each time.
void Engine::run() {
  ask_for_short_turns();
  constexpr Duration kLinger = std::chrono::milliseconds(50);
  constexpr Duration kGlance = std::chrono::microseconds(500);
  std::unique_lock lock(mutex_);
  TimePoint last_work = Clock::now();
  std::uint64_t seen = 0;
  while (!closing_.load()) {
    if (std::exchange(seen, submissions_) != submissions_) last_work = Clock::now();
    if (pending_.load() > 0 && !driving_ && callers_.load() == 0) {
      driving_ = true;
      lock.unlock();
      drive([&] { return pending_.load() == 0 || callers_.load() > 0 || closing_.load(); });
      lock.lock();
      driving_ = false;
      last_work = Clock::now();
      callers_wake_.notify_all();
      continue;
    }
    lingering_ = Clock::now() - last_work < kLinger;
    if (lingering_)
      thread_wakes_.wait_for(lock, kGlance);
    else
      thread_wakes_.wait(lock);
  }
}

// The node's first cause counts for all its ranks: what looks like one to this rank may be what
// others did because of it.
void Engine::remember(const Ending& ending) {
  memory_.end(ending);
  const Ending first = memory_.ending().value();
  const bool ours = first.kind == ending.kind && first.peer == ending.peer;
  const std::lock_guard lock(mutex_);
  if (!ending_) ending_ = ours ? ending : first;
  ended_.store(true);
}

void Engine::fail(PendingOperation& operation) {
  operation.strand_.abandon();
  operation.body_ = nullptr;
  operation.outcome_.store(PendingOperation::Outcome::kFailed);
}

}  // namespace phalanx::comm
