#include "tests/system/processes.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/clock.h"
#include "base/process.h"

namespace phalanx::system_test {
namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::vector<Process> processes_with(const std::string& marker) {
  std::vector<Process> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string number = entry.path().filename();
    if (!std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; })) continue;
    // That of a zombie is empty.
    if (content(entry.path() / "environ").find(marker) == std::string::npos) continue;
    const pid_t pid = std::stoi(number);
    std::string name = content(entry.path() / "comm");
    if (!name.empty()) name.pop_back();
    found.push_back({pid, start_time(pid), name});
  }
  return found;
}

bool await(const std::function<bool()>& condition, double seconds) {
  const TimePoint deadline = Clock::now() + from_seconds(seconds);
  while (!condition()) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace phalanx::system_test
