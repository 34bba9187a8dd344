#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace phalanx::kernels {

using Bf16 = c10::BFloat16;

// The type in which values of type T are computed and summed: fp32 for bf16, else T itself.
template <class T>
struct WideType {
  using Type = T;
};
template <>
struct WideType<Bf16> {
  using Type = float;
};
template <class T>
using Wide = typename WideType<T>::Type;

// A tensor [..., width], contiguous, as rows.
struct Rows {
  std::int64_t count, width;
};

}  // namespace phalanx::kernels
