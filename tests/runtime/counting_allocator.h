#pragma once

#include <cstdint>

namespace phalanx::runtime {

// Counts the memory of tensors that this thread makes and drops; one at a time.
class TensorMemory {
 public:
  // From now on; what is held already does not count.
  TensorMemory();

  std::int64_t held() const;
  std::int64_t peak() const;

 private:
  std::int64_t before_;
};

}  // namespace phalanx::runtime
