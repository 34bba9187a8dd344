#pragma once

#include <cstddef>
#include <cstdint>

namespace phalanx::parallel {

// Zeroed memory from the system, whole pages, huge ones where there are some; given back on
// destruction. None, with data() null, where the system has none left.
class MappedMemory {
 public:
  MappedMemory() = default;
  explicit MappedMemory(std::int64_t bytes);
  // Owns again what release() gave away.
  static MappedMemory adopt(std::byte* data, std::int64_t bytes);
  ~MappedMemory();
  MappedMemory(MappedMemory&& other) noexcept;
  MappedMemory& operator=(MappedMemory&& other) noexcept;

  std::byte* data() const { return data_; }
  std::int64_t bytes() const { return bytes_; }
  std::byte* release();

 private:
  std::byte* data_ = nullptr;
  std::int64_t bytes_ = 0;
};

}  // namespace phalanx::parallel
