#pragma once

#include <cstddef>
#include <cstdint>

namespace phalanx::runtime {

// Calls of operator new, which this program replaces.
struct Allocations {
  std::int64_t count = 0;
  std::size_t largest = 0;  // bytes
};

// Those of the calling thread since it last asked.
Allocations take_allocations();

}  // namespace phalanx::runtime
