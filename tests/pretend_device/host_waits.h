#pragma once

#include <cstdint>

namespace phalanx::pretend {

// How often a thread has waited for the device, or would have for a GPU. Numbers only grow; what a
// step does is the difference.
struct HostWaits {
  std::int64_t reads = 0;             // values and copies that came to the host
  std::int64_t writes = 0;            // copies from the host, but those non-blocking and pinned
  std::int64_t synchronizations = 0;  // of a stream, an event or the device
  std::int64_t works = 0;             // comm::Work::wait()
  std::int64_t ordered = 0;           // comm::Work::wait(DeviceStream): no wait at all

  std::int64_t total() const { return reads + writes + synchronizations + works; }
  bool operator==(const HostWaits&) const = default;
};
HostWaits operator-(const HostWaits& now, const HostWaits& before);

// Of the calling thread so far.
HostWaits& host_waits();

}  // namespace phalanx::pretend
