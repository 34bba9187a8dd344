#include "base/short_turns.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <thread>

namespace phalanx {
namespace {

// Where sched_getattr(2) says how long a turn is, in nanoseconds.
std::uint64_t turn_of_this_thread() {
  std::array<std::uint64_t, 6> attributes{};  // size and policy, flags, nice and priority, runtime
  ::syscall(SYS_sched_getattr, 0, attributes.data(), sizeof attributes, 0);
  return attributes[3];
}

bool kernel_grants_turns() {
  utsname system{};
  ::uname(&system);
  int major = 0, minor = 0;
  std::sscanf(static_cast<const char*>(system.release), "%d.%d", &major, &minor);
  return major > 6 || (major == 6 && minor >= 12);
}

TEST(ShortTurns, AreGrantedToTheThreadThatAsksAndChangeNothingElse) {
  const int nice = ::getpriority(PRIO_PROCESS, 0);
  const auto others = turn_of_this_thread();
  std::thread([&] {
    ask_for_short_turns();
    EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
    EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), nice);
    EXPECT_EQ(turn_of_this_thread(), kernel_grants_turns() ? 100'000u : others);
  }).join();
  EXPECT_EQ(turn_of_this_thread(), others);
}

}  // namespace
}  // namespace phalanx
