#pragma once

#include <filesystem>

#include "base/file_descriptor.h"

namespace phalanx::launcher {

// A folder in the host's memory (/dev/shm, else where temporary files go) for what a run's
// processes share by name. It is removed with all in it, whatever has become of them; what a killed
// `phalanx run` has left, by the next one that makes such a folder. Throws SystemError.
class ScratchFolder {
 public:
  ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  FileDescriptor lock_;  // tells others that the folder is in use
};

}  // namespace phalanx::launcher
