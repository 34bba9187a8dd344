#include "launcher/cli/scratch_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace phalanx::launcher {
namespace {

namespace fs = std::filesystem;

constexpr auto kPrefix = "phalanx-scratch-";

fs::path parent() {
  constexpr auto kMemory = "/dev/shm";
  return ::access(kMemory, W_OK | X_OK) == 0 ? fs::path(kMemory) : fs::temp_directory_path();
}

// Empty when another process holds the lock, or the folder is another user's.
FileDescriptor locked(const fs::path& folder) {
  FileDescriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return {};
  return file;
}

void remove_abandoned(const fs::path& parent) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    if (!entry.path().filename().string().starts_with(kPrefix)) continue;
    if (const auto lock = locked(entry.path())) fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace

ScratchFolder::ScratchFolder() {
  remove_abandoned(parent());
  do {  // again when another run has taken it for abandoned before it was locked
    std::string name = parent() / (std::string(kPrefix) + "XXXXXX");
    if (::mkdtemp(name.data()) == nullptr) throw SystemError(describe_errno("mkdtemp " + name));
    path_ = name;
    lock_ = locked(path_);
  } while (!lock_ || !fs::exists(path_));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace phalanx::launcher
