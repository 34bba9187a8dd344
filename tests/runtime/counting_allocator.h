#pragma once

#include <array>
#include <cstdint>

#include "parallel/tensor_memory.h"

namespace phalanx::runtime {

// Counts the memory of tensors that this thread makes and drops; one at a time.
class TensorMemory {
 public:
  // From now on; what is held already does not count.
  TensorMemory();

  std::int64_t held() const;
  std::int64_t peak() const;
  // The same of what was made for a use (parallel::MemoryScope); held by now, with what was before.
  std::int64_t held(parallel::MemoryUse use) const;
  std::int64_t peak(parallel::MemoryUse use) const;

 private:
  std::int64_t before_;
};

}  // namespace phalanx::runtime
