#pragma once

#include <cstddef>
#include <string>

#include "comm/backend.h"

namespace phalanx::comm {

// The memory of the device that a backend moves, for tests: the host's, or a GPU's.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  virtual std::string missing(int devices) = 0;  // what is not there of so many; empty: nothing
  virtual void use(int device) = 0;              // in this thread
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void free(void* memory) = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;  // either way
  virtual bool ok() const = 0;  // all of it has worked so far
};

// The memory of `device`; a GPU's comes from a library in the folder of the plug-ins. Throws
// std::runtime_error when that cannot be loaded.
DeviceMemory& device_memory(Device device, const std::string& plugins);

}  // namespace phalanx::comm
