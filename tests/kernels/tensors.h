#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace phalanx::test {

// Numbers that depend on nothing but `seed`, in [-1, 1).
inline at::Tensor numbers(at::IntArrayRef shape, std::uint64_t seed,
                          at::ScalarType type = at::kDouble) {
  auto tensor = at::empty(shape, at::kDouble);
  auto* value = tensor.mutable_data_ptr<double>();
  std::uint64_t state = seed * 0x9E3779B97F4A7C15ull + 1;
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    value[i] = static_cast<double>(state >> 11) * 0x1p-52 - 1;
  }
  return tensor.to(type);
}

inline at::Tensor leaf(const at::Tensor& tensor) {
  return tensor.detach().clone().requires_grad_();
}

// |found - expected| / |expected|, in the Euclidean norm.
inline double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  const auto difference = (found.to(at::kDouble) - expected.detach().to(at::kDouble)).norm();
  return difference.item<double>() / expected.detach().to(at::kDouble).norm().item<double>();
}

inline bool same_bits(const at::Tensor& a, const at::Tensor& b) { return at::equal(a, b); }

}  // namespace phalanx::test
