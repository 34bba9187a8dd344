#include "base/short_turns.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace phalanx {
namespace {

// sched_setattr(2), which the C library lacks, and whose header does not go with its own.
struct SchedulingAttributes {
  std::uint32_t size = sizeof(SchedulingAttributes);
  std::uint32_t policy = SCHED_OTHER;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;  // nanoseconds
  std::uint64_t deadline = 0, period = 0;
};

}  // namespace

void ask_for_short_turns() {
  SchedulingAttributes wanted;
  wanted.nice = ::getpriority(PRIO_PROCESS, 0);  // of this thread, as it is
  wanted.runtime = 100'000;                      // the least there is
  ::syscall(SYS_sched_setattr, 0, &wanted, 0);
}

}  // namespace phalanx
