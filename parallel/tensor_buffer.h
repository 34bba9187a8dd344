#pragma once

#include <ATen/core/Tensor.h>

#include "base/check.h"
#include "comm/buffer.h"

namespace phalanx::parallel {

inline comm::ElementType element_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return comm::ElementType::kFloat32;
    case at::kDouble:
      return comm::ElementType::kFloat64;
    case at::kBFloat16:
      return comm::ElementType::kBFloat16;
    case at::kByte:
      return comm::ElementType::kUInt8;
    case at::kLong:
      return comm::ElementType::kInt64;
    default:
      check(false, "a tensor that travels is of a type that groups know");
      return comm::ElementType::kUInt8;
  }
}

// A contiguous tensor as what a group sends or receives.
inline comm::Buffer buffer_of(const at::Tensor& tensor) {
  check(tensor.is_contiguous(), "a tensor that travels is contiguous");
  return {tensor.data_ptr(), static_cast<std::size_t>(tensor.numel()),
          element_type(tensor.scalar_type())};
}

}  // namespace phalanx::parallel
