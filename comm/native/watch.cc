#include "comm/native/watch.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/process.h"

namespace phalanx::comm {

Watch::Watch(const Membership& membership, std::vector<int> local_ranks, NodeMemory& memory)
    : membership_(membership), local_ranks_(std::move(local_ranks)), memory_(memory) {}

std::optional<int> Watch::local_index(int rank) const {
  const auto found = std::find(local_ranks_.begin(), local_ranks_.end(), rank);
  if (found == local_ranks_.end()) return std::nullopt;
  return static_cast<int>(found - local_ranks_.begin());
}

std::optional<Ending> Watch::death(int rank) {
  const auto local = local_index(rank);
  if (!local) return std::nullopt;
  const Control& control = memory_.control(*local);
  if (control.joined.load() == 0) return std::nullopt;
  const pid_t pid = control.pid.load();
  const Ending dead{CommError::Kind::kPeerDied, rank, fmt::format("its process {} has ended", pid)};
  if (control.left.load() != 0)
    return Ending{CommError::Kind::kPeerDied, rank, "it has left the generation"};
  return process_ended(rank, *local);
}

std::optional<Ending> Watch::any_death() {
  for (std::size_t local = 0; local < local_ranks_.size(); ++local) {
    const Control& control = memory_.control(static_cast<int>(local));
    if (control.joined.load() == 0 || control.left.load() != 0) continue;
    if (const auto ending = process_ended(local_ranks_[local], static_cast<int>(local)))
      return ending;
  }
  return std::nullopt;
}

std::optional<Ending> Watch::process_ended(int rank, int local) {
  const Control& control = memory_.control(local);
  const pid_t pid = control.pid.load();
  const Ending dead{CommError::Kind::kPeerDied, rank, fmt::format("its process {} has ended", pid)};
  FileDescriptor& process = processes_[local];
  if (!process) {
    process = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (start_time(pid) != control.start_time.load()) return dead;  // the pid is another's by now
    if (!process) return std::nullopt;
  }
  pollfd entry{process.get(), POLLIN, 0};
  if (::poll(&entry, 1, 0) > 0) return dead;
  return std::nullopt;
}

int Watch::culprit(int peer, const Network* network) const {
  const TimePoint oldest = Clock::now() - fresh();
  std::optional<int> blamed;
  if (const auto local = local_index(peer)) {
    const Control& control = memory_.control(*local);
    if (control.waiting_beat.load() > oldest.time_since_epoch().count())
      blamed = control.blames.load();
  } else if (network != nullptr) {
    blamed = network->told_wait(peer, oldest);
  }
  if (!blamed || *blamed == membership_.rank || *blamed < 0) return peer;
  return *blamed;
}

void Watch::publish(int blames) {
  Control& own = memory_.own();
  own.blames.store(blames);
  own.waiting_beat.store(blames < 0 ? 0 : Clock::now().time_since_epoch().count());
}

}  // namespace phalanx::comm
