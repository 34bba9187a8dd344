#pragma once

#include <cstdint>
#include <string>

namespace phalanx::layout {

// Bytes of an element in a job's `train.precision`: of `values`, what the matrices and all that
// flows between layers are computed in, and of `sums`, what gradients, the state, vectors and
// statistics of norms are kept in.
struct ElementBytes {
  std::int64_t values = 4, sums = 4;
};
inline ElementBytes element_bytes(const std::string& precision) {
  if (precision == "bf16") return {2, 4};
  if (precision == "fp64") return {8, 8};
  return {4, 4};
}

}  // namespace phalanx::layout
