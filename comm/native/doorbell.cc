#include "comm/native/doorbell.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <ctime>

namespace phalanx::comm {

static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

std::uint32_t Doorbell::listen() {
  const std::uint32_t heard = rung_.load();
  listening_.store(1);
  return heard;
}

void Doorbell::sleep(std::uint32_t heard, Duration longest) {
  const auto left = std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::nanoseconds>(longest).count());
  const timespec time{left / 1'000'000'000, left % 1'000'000'000};
  ::syscall(SYS_futex, &rung_, FUTEX_WAIT, heard, &time, nullptr, 0);
  stop_listening();
}

void Doorbell::ring_always() {
  rung_.fetch_add(1);
  ::syscall(SYS_futex, &rung_, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace phalanx::comm
