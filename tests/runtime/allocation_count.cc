#include "tests/runtime/allocation_count.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

namespace {
thread_local phalanx::runtime::Allocations allocations;
}

void* operator new(std::size_t size) {
  ++allocations.count;
  allocations.largest = std::max(allocations.largest, size);
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace phalanx::runtime {
Allocations take_allocations() { return std::exchange(allocations, {}); }
}  // namespace phalanx::runtime
