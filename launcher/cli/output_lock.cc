#include "launcher/cli/output_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "launcher/error.h"
#include "protocol/run_directory.h"

namespace phalanx::launcher {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);
constexpr auto kRetry = std::chrono::milliseconds(50);

}  // namespace

FileDescriptor lock_output(const std::filesystem::path& output) {
  std::error_code error;
  std::filesystem::create_directories(output, error);
  if (error)
    throw StorageError(output.string() + ": create: " + error.message(),
                       "choose an `output` in a folder that you may write to");
  const auto path = protocol::RunDirectory(output).lock();
  FileDescriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock)
    throw StorageError(describe_errno(path.string() + ": open"),
                       "choose an `output` in a folder that you may write to");
  const auto deadline = Clock::now() + kPatience;
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw StorageError(describe_errno(path.string() + ": flock"));
    if (Clock::now() >= deadline)
      throw RefusedError(output.string() + ": another run is at work on this output",
                         "look at it with `phalanx status " + output.string() +
                             "`, end it with `phalanx cancel`, or choose another `output`");
    std::this_thread::sleep_for(kRetry);
  }
  return lock;
}

bool is_locked(const std::filesystem::path& output) {
  const auto path = protocol::RunDirectory(output).lock();
  const FileDescriptor lock(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock && errno == ENOENT) return false;
  if (!lock) throw StorageError(describe_errno(path.string() + ": open"));
  // Shared: several may look at once, and a run that starts meanwhile waits for us.
  return ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

}  // namespace phalanx::launcher
