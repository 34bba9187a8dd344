#include "launcher/cli/output_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "launcher/cli/shown_path.h"
#include "launcher/error.h"
#include "protocol/run_directory.h"

namespace phalanx::launcher {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);
constexpr auto kRetry = std::chrono::milliseconds(50);
constexpr auto kHelp = "choose an `output` in a folder that you may write to";

}  // namespace

FileDescriptor lock_output(const std::filesystem::path& output) {
  std::error_code error;
  std::filesystem::create_directories(output, error);
  if (error) throw StorageError(output.string() + ": create: " + error.message(), kHelp);
  const auto path = protocol::RunDirectory(output).lock();
  FileDescriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock) throw StorageError(describe_errno(path.string() + ": open"), kHelp);
  const auto deadline = Clock::now() + kPatience;
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw storage_error(path.string() + ": flock");
    if (Clock::now() >= deadline)
      throw RefusedError(shown(output) + ": another run is at work on this output",
                         "look at it with `phalanx status " + shown(output) +
                             "`, end it with `phalanx cancel`, or choose another `output`");
    std::this_thread::sleep_for(kRetry);
  }
  return lock;
}

void require_writable(const std::filesystem::path& output) {
  std::error_code error;
  auto folder = output;
  while (!std::filesystem::exists(folder, error) && folder.has_relative_path())
    folder = folder.parent_path();
  if (!std::filesystem::is_directory(folder, error))
    throw StorageError(shown(folder) + ": expected a folder for the output, found a file", kHelp);
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    throw StorageError(describe_errno(folder.string() + ": write"), kHelp);
}

bool is_locked(const std::filesystem::path& output) {
  const auto path = protocol::RunDirectory(output).lock();
  const FileDescriptor lock(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock && errno == ENOENT) return false;
  if (!lock) throw storage_error(path.string() + ": open");
  // Shared: several may look at once, and a run that starts meanwhile waits for us.
  return ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

}  // namespace phalanx::launcher
