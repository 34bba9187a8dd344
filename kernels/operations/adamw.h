#pragma once

#include <cmath>

#include "kernels/adamw.h"
#include "kernels/operations/element.h"

// kernels/adamw.h, on plain memory.
namespace phalanx::kernels {

// The step's numbers, rounded once.
template <class T>
struct AdamWFactors {
  explicit AdamWFactors(const AdamWStep& s)
      : keep(static_cast<T>(1 - s.lr * s.weight_decay)),
        beta1(static_cast<T>(s.beta1)),
        beta2(static_cast<T>(s.beta2)),
        rest1(static_cast<T>(1 - s.beta1)),
        rest2(static_cast<T>(1 - s.beta2)),
        scale(static_cast<T>(s.gradient_scale)),
        epsilon(static_cast<T>(s.epsilon)),
        size(static_cast<T>(s.lr / (1 - std::pow(s.beta1, static_cast<double>(s.step))))),
        second_correction(
            static_cast<T>(1 / std::sqrt(1 - std::pow(s.beta2, static_cast<double>(s.step))))) {}
  T keep, beta1, beta2, rest1, rest2, scale, epsilon, size, second_correction;
};

template <class T>
struct AdamWUpdate {
  T* parameters;
  const T* gradients;
  T *first, *second;
  std::int64_t count;
  Bf16* rounded;  // null: none
  AdamWFactors<T> factors;
};

}  // namespace phalanx::kernels
