// What the engine's thread does: it brings the ranks of a communicator together, and looks after
// deadlines, errors and peers.
#include <fmt/format.h>

#include <algorithm>

#include "comm/binomial_tree.h"
#include "comm/nccl/engine.h"

namespace phalanx::comm::nccl {
namespace {

// How often the thread looks while something is pending.
constexpr Duration kGlance = std::chrono::microseconds(500);
// How long a communicator whose peer seems to have gone may take to finish all the same, or
// somebody to say who has gone.
constexpr Duration kLastWords = std::chrono::milliseconds(200);

}  // namespace

void Engine::run() {
  use_device(device_);
  std::unique_lock lock(mutex_);
  while (!closing_) {
    if (!over_ && !ended_.load()) guarded(&Engine::watch);
    if (!over_ && ended_.load()) {
      tell_others();
      abort_all();
    }
    if (!over_ && busy()) {
      thread_wakes_.wait_for(lock, kGlance);
    } else {
      thread_wakes_.wait(lock, [&] { return closing_ || (!over_ && (ended_.load() || busy())); });
    }
  }
}

bool Engine::busy() const {
  return std::any_of(channels_.begin(), channels_.end(),
                     [](const auto& channel) { return !channel->idle(); });
}

void Engine::watch() {
  const TimePoint now = Clock::now();
  network_->progress();
  network_->watch(now);
  for (const auto& channel : channels_)
    if (channel->state == Channel::State::kMeeting) step_meeting(*channel, now);
  step();
  look_at_deadlines(now);
  judge(now);
}

// The communicator's charter comes from the parent and goes to the children.
Task Engine::meet(Strand& strand, Channel& channel) {
  const auto rank_of = [&](int place) { return channel.ranks[static_cast<std::size_t>(place)]; };
  if (const auto parent = binomial_parent(channel.rank)) {
    const int rank = rank_of(*parent);
    co_await network_->connected(strand, rank, channel.key);
    auto& stream = network_->stream(rank, channel.key);
    const std::uint64_t end = stream.receive(&channel.charter, sizeof channel.charter);
    co_await strand.until(stream.received(), end, rank, &stream);
  } else {
    check_nccl(ncclGetUniqueId(&channel.charter.id), "ncclGetUniqueId");
    channel.charter.most_blocks = most_blocks_;
  }
  const auto children = binomial_children(channel.rank, static_cast<int>(channel.ranks.size()));
  for (const int child : children) network_->stream(rank_of(child), channel.key);
  for (const int child : children) {
    co_await network_->connected(strand, rank_of(child), channel.key);
    network_->stream(rank_of(child), channel.key)
        .send_copy(&channel.charter, sizeof channel.charter);
  }
}

void Engine::step_meeting(Channel& channel, TimePoint now) {
  Strand& strand = channel.meeting;
  if (!strand.done() && strand.wait().reached()) strand.resume();
  if (strand.done()) {
    strand.task().result();
    return form(channel);
  }
  const Wait& wait = strand.wait();
  if (wait.reached()) return;
  if (wait.stream != nullptr && wait.stream->failure()) {
    if (const auto ending = network_->failure(*wait.stream, now)) remember(*ending);
  } else if (now >= wait.deadline) {
    remember({CommError::Kind::kTimeout, wait.peer,
              fmt::format("expected it to make its communicator with ranks {} within {:g} s{}",
                          fmt::join(channel.ranks, ", "), seconds(membership_.deadline),
                          network_->refusals())});
  }
}

void Engine::form(Channel& channel) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  if (channel.charter.most_blocks > 0) config.maxCTAs = channel.charter.most_blocks;
  channel.state = Channel::State::kForming;
  channel.form_by = Clock::now() + membership_.deadline;
  check_nccl(ncclCommInitRankConfig(&channel.communicator, static_cast<int>(channel.ranks.size()),
                                    channel.charter.id, channel.rank, &config),
             "ncclCommInitRankConfig");
}

void Engine::look_at_deadlines(TimePoint now) {
  for (const auto& channel : channels_) {
    const bool forming = channel->state == Channel::State::kForming;
    const TimePoint deadline = forming                     ? channel->form_by
                               : channel->launched.empty() ? TimePoint::max()
                                                           : channel->launched.front()->deadline_;
    if (now < deadline) continue;
    return remember({CommError::Kind::kTimeout, -1,
                     fmt::format("{} among ranks {}: not within {:g} s",
                                 forming ? "NCCL connects no communicator"
                                         : "NCCL does not finish an operation",
                                 fmt::join(channel->ranks, ", "), seconds(membership_.deadline))});
  }
}

// Ends the generation for what others say at once, for a suspicion when it lasts.
void Engine::judge(TimePoint now) {
  if (const auto told = network_->told_ending()) return remember(*told);
  const auto suspected = suspicion(now);
  if (!suspected) {
    suspected_since_.reset();
  } else if (now >= suspected_since_.value_or(now) + kLastWords) {
    remember(*suspected);
  } else if (!suspected_since_) {
    suspected_since_ = now;
  }
}

// That a peer has gone which something waits for; else that NCCL has given a communicator up, of
// which it does not say because of whom.
std::optional<Ending> Engine::suspicion(TimePoint now) {
  std::optional<Ending> unnamed;
  for (const auto& channel : channels_) {
    if (channel->idle() || channel->state == Channel::State::kMeeting) continue;
    ncclResult_t state = ncclSuccess;
    ncclCommGetAsyncError(channel->communicator, &state);
    const bool network = state == ncclRemoteError || state == ncclSystemError;
    if (state != ncclSuccess && state != ncclInProgress)
      unnamed = Ending{network ? CommError::Kind::kPeerDied : CommError::Kind::kAborted,
                       network ? -1 : membership_.rank,
                       fmt::format("NCCL: {}: {}", ncclGetErrorString(state),
                                   ncclGetLastError(channel->communicator))};
    for (const int peer : channel->neighbours)
      if (const auto gone = network_->failure(network_->stream(peer, Network::kControl), now))
        return gone;
  }
  return unnamed;
}

}  // namespace phalanx::comm::nccl
