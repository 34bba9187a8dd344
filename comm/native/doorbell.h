#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace phalanx::comm {

// Wakes a process of this node through shared memory (futex(2), shared between processes). Whoever
// waits for something another process writes: listens, looks once more, sleeps. Whoever wrote it:
// rings, which costs one load while nobody sleeps.
class Doorbell {
 public:
  // From here on a ring is not lost: pass the result to sleep().
  std::uint32_t listen();
  // Until somebody has rung since listen(), or `longest` has passed.
  void sleep(std::uint32_t heard, Duration longest);
  void stop_listening() { listening_.store(0); }

  // Call after writing (with sequentially consistent order) what the sleeper waits for.
  void ring() {
    if (listening_.load() != 0) ring_always();
  }
  void ring_always();

 private:
  std::atomic<std::uint32_t> rung_;
  std::atomic<std::uint32_t> listening_;
};

}  // namespace phalanx::comm
