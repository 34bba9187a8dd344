#pragma once

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

namespace phalanx::checkpoint {

// The content of a file as pages of memory; pages that were never written are zero and take none.
class MemoryImage {
 public:
  void write(std::uint64_t position, std::span<const std::byte> bytes);
  void read(std::uint64_t position, std::span<std::byte> bytes) const;
  std::uint64_t size() const { return size_; }
  void grow(std::uint64_t size) { size_ = std::max(size_, size); }

 private:
  using Page = std::array<std::byte, 4096>;
  std::map<std::uint64_t, Page> pages_;  // by number
  std::uint64_t size_ = 0;
};

// Makes files of the access list `properties` live in `image`, which must outlive them: a driver
// of HDF5's Virtual File Layer. HDF5's own driver for memory would hold and clear the data's space
// too. Returns what HDF5 says, negative for a failure.
herr_t use_memory_driver(hid_t properties, MemoryImage& image);

}  // namespace phalanx::checkpoint
