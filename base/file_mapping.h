#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "base/file_descriptor.h"

namespace phalanx {

// A read-only mapping of a whole file as it is now; an empty file gives empty bytes. The file may
// be closed or replaced by rename meanwhile; who cuts it short kills its readers (SIGBUS). Throws
// SystemError.
class FileMapping {
 public:
  FileMapping() = default;
  explicit FileMapping(const FileDescriptor& file);
  FileMapping(FileMapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  FileMapping& operator=(FileMapping&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~FileMapping();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace phalanx
