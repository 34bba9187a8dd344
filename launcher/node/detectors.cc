#include "launcher/node/detectors.h"

#include <utility>

#include "protocol/black_box.h"

namespace phalanx::node {

std::optional<Duration> too_silent(std::int64_t heartbeat, TimePoint watched_since, TimePoint now) {
  const bool starting = heartbeat == 0;
  const TimePoint last_sign =
      starting ? watched_since : TimePoint(std::chrono::nanoseconds(heartbeat));
  const Duration silence = now - last_sign;
  if (silence < (starting ? kLongestStart : kLongestSilence)) return std::nullopt;
  return silence;
}

void Detectors::watch(int slot, pid_t pid, const FileDescriptor& black_box, TimePoint now) {
  slots_[slot] = Watched{pid, now, false, MemoryMapping(black_box)};
}

std::vector<protocol::WorkerSilent> Detectors::look(TimePoint now) {
  std::vector<protocol::WorkerSilent> silent;
  for (auto& [slot, watched] : slots_) {
    if (watched.reported) continue;
    const auto& box = protocol::black_box_in(watched.black_box.bytes());
    const auto silence =
        too_silent(box.heartbeat.load(std::memory_order_relaxed), watched.since, now);
    if (!silence) continue;
    watched.reported = true;
    auto& message = silent.emplace_back();
    message.set_slot(slot);
    message.set_pid(watched.pid);
    message.set_seconds(seconds(*silence));
    message.set_phase(protocol::phase_name(box.phase.load(std::memory_order_relaxed)));
  }
  return silent;
}

}  // namespace phalanx::node
