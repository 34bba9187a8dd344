#include "kernels/adamw.h"

#include <cmath>

#include "base/check.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

template <class T>
struct Spans {
  T* parameters;
  const T* gradients;
  T *first, *second;
  std::size_t count;
  Bf16* rounded;  // null: none
};

// The step's numbers, rounded once.
template <class T>
struct Factors {
  explicit Factors(const AdamWStep& s)
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
PHALANX_INLINE void update(Spans<T> s, Factors<T> f) {
#pragma omp simd
  for (std::size_t i = 0; i < s.count; ++i) {
    const T gradient = s.gradients[i] * f.scale;
    const T first = f.beta1 * s.first[i] + f.rest1 * gradient;
    const T second = f.beta2 * s.second[i] + f.rest2 * gradient * gradient;
    s.first[i] = first;
    s.second[i] = second;
    const T denominator = std::sqrt(second) * f.second_correction + f.epsilon;
    const T updated = s.parameters[i] * f.keep - f.size * first / denominator;
    s.parameters[i] = updated;
    if constexpr (std::is_same_v<T, float>)
      if (s.rounded != nullptr) s.rounded[i] = rounded<Bf16>(updated);
  }
}

PHALANX_VECTORIZED void run(Spans<float> s, Factors<float> f) { update(s, f); }
PHALANX_VECTORIZED void run(Spans<double> s, Factors<double> f) { update(s, f); }

template <class T>
void step_of(std::span<T> parameters, std::span<const T> gradients, std::span<T> first,
             std::span<T> second, const AdamWStep& step, std::span<Bf16> rounded) {
  check(parameters.size() == gradients.size() && parameters.size() == first.size() &&
            parameters.size() == second.size(),
        "adamw: expected spans of equal length");
  check(rounded.empty() || rounded.size() == parameters.size(),
        "adamw: expected as many rounded parameters");
  check(step.step >= 1, "adamw: steps are counted from 1");
  run(Spans<T>{parameters.data(), gradients.data(), first.data(), second.data(), parameters.size(),
               rounded.empty() ? nullptr : rounded.data()},
      Factors<T>(step));
}

}  // namespace

void adamw(std::span<float> parameters, std::span<const float> gradients, std::span<float> first,
           std::span<float> second, const AdamWStep& step, std::span<Bf16> rounded) {
  step_of(parameters, gradients, first, second, step, rounded);
}

void adamw(std::span<double> parameters, std::span<const double> gradients, std::span<double> first,
           std::span<double> second, const AdamWStep& step) {
  step_of(parameters, gradients, first, second, step, {});
}

}  // namespace phalanx::kernels
