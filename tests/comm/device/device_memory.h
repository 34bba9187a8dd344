#pragma once

#include <cstddef>
#include <new>
#include <string>
#include <vector>

#include "comm/backend.h"

namespace phalanx::comm {

// The memory of the device that a backend moves, for tests: the host's, or a GPU's.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  virtual std::string missing(int ranks) = 0;  // what so many on this host lack; empty: nothing
  virtual void use_in_turn(int slot) = 0;      // the device of this slot, in this thread
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void* allocate_shared(std::size_t bytes) = 0;  // the host reads and writes it as well
  virtual void free_shared(void* memory) = 0;
  virtual void free(void* memory) = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;  // either way
  virtual bool ok() const = 0;  // all of it has worked so far
};

// The memory of `device`; a GPU's comes from a library in the folder of the plug-ins. Throws
// std::runtime_error when that cannot be loaded.
DeviceMemory& device_memory(Device device, const std::string& plugins);

// The memory of the device that this process works with, the host's at first.
DeviceMemory& own_memory();
void set_own_memory(DeviceMemory& memory);

// Vectors that both the host and the device of this process read and write.
template <typename T>
struct SharedAllocator {
  using value_type = T;
  SharedAllocator() = default;
  template <typename U>
  SharedAllocator(const SharedAllocator<U>&) {}
  T* allocate(std::size_t count) {
    void* memory = own_memory().allocate_shared(count * sizeof(T));
    if (memory == nullptr) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t) { own_memory().free_shared(memory); }
  bool operator==(const SharedAllocator&) const { return true; }
};
using Floats = std::vector<float, SharedAllocator<float>>;

}  // namespace phalanx::comm
