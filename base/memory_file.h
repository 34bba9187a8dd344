#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/file_descriptor.h"

namespace phalanx {

// An anonymous file in memory (memfd_create(2)) of `bytes` bytes, zeroed, allocated in full:
// writing to its mapping cannot fail later. It has no name to leak and lives as long as somebody
// holds it. Throws SystemError when the memory is not there.
FileDescriptor create_memory_file(const std::string& name, std::size_t bytes);

// A shared read-write mapping of a whole memory file. Throws SystemError.
class MemoryMapping {
 public:
  MemoryMapping() = default;
  explicit MemoryMapping(const FileDescriptor& file);
  MemoryMapping(MemoryMapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MemoryMapping& operator=(MemoryMapping&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MemoryMapping();

  std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace phalanx
