#include "launcher/cli/ask_controller.h"

#include <thread>

#include "base/clock.h"
#include "launcher/cli/output_lock.h"
#include "launcher/cli/run_file.h"
#include "launcher/error.h"

namespace phalanx::launcher {
namespace {

// A controller that was killed is there again within a second.
constexpr auto kPatience = std::chrono::seconds(5);
constexpr auto kRetry = std::chrono::milliseconds(50);

}  // namespace

bool ask_controller(const std::filesystem::path& run,
                    const std::function<void(control::Client&)>& ask) {
  const TimePoint deadline = Clock::now() + kPatience;
  while (is_locked(run)) {
    try {
      const RunFile file = read_run_file(run);
      control::Client client(file.address, file.token);
      ask(client);
      return true;
    } catch (const LaunchError& error) {
      if (Clock::now() >= deadline)
        throw LaunchError(
            run.string() + ": the run is at work, but cannot be asked: " + error.what(),
            "it may be starting or ending: try again, or see " + (run / "logs").string());
    }
    std::this_thread::sleep_for(kRetry);
  }
  return false;
}

}  // namespace phalanx::launcher
