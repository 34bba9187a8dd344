#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace phalanx::system_test {

// A process on this machine.
struct Process {
  pid_t pid = 0;
  unsigned long long start_time = 0;
  std::string name;  // /proc/PID/comm
  bool operator==(const Process&) const = default;
};

// The living processes whose environment holds `marker`, as everything does that a marked process
// has started.
std::vector<Process> processes_with(const std::string& marker);

// Looks every few milliseconds whether `condition` holds. False when it still does not after
// `seconds`.
[[nodiscard]] bool await(const std::function<bool()>& condition, double seconds = 60);

}  // namespace phalanx::system_test
