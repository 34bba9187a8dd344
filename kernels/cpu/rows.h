#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace phalanx::kernels {

// A tensor [..., width] as rows.
struct Rows {
  std::int64_t count, width;
};
inline Rows rows_of(const at::Tensor& x) { return {x.numel() / x.size(-1), x.size(-1)}; }

}  // namespace phalanx::kernels
