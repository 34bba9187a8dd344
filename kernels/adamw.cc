#include "kernels/adamw.h"

#include "base/check.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

template <class T>
void step_of(std::span<T> parameters, std::span<const T> gradients, std::span<T> first,
             std::span<T> second, const AdamWStep& step, std::span<Bf16> rounded,
             c10::DeviceType device) {
  check(parameters.size() == gradients.size() && parameters.size() == first.size() &&
            parameters.size() == second.size(),
        "adamw: expected spans of equal length");
  check(rounded.empty() || rounded.size() == parameters.size(),
        "adamw: expected as many rounded parameters");
  check(step.step >= 1, "adamw: steps are counted from 1");
  perform_on(device,
             AdamWUpdate<T>{parameters.data(), gradients.data(), first.data(), second.data(),
                            static_cast<std::int64_t>(parameters.size()),
                            rounded.empty() ? nullptr : rounded.data(), AdamWFactors<T>(step)});
}

}  // namespace

void adamw(std::span<float> parameters, std::span<const float> gradients, std::span<float> first,
           std::span<float> second, const AdamWStep& step, std::span<Bf16> rounded,
           c10::DeviceType device) {
  step_of(parameters, gradients, first, second, step, rounded, device);
}

void adamw(std::span<double> parameters, std::span<const double> gradients, std::span<double> first,
           std::span<double> second, const AdamWStep& step, c10::DeviceType device) {
  step_of(parameters, gradients, first, second, step, {}, device);
}

}  // namespace phalanx::kernels
