#include "tests/pretend_device/host_waits.h"

namespace phalanx::pretend {

HostWaits operator-(const HostWaits& now, const HostWaits& before) {
  return {now.reads - before.reads, now.writes - before.writes,
          now.synchronizations - before.synchronizations, now.works - before.works,
          now.ordered - before.ordered};
}

HostWaits& host_waits() {
  thread_local HostWaits waits;
  return waits;
}

}  // namespace phalanx::pretend
