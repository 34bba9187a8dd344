#pragma once

#include <c10/core/DeviceType.h>

#include <span>

namespace phalanx::kernels {

// The sum of squares, accumulated in fp64 in one fixed order whatever the processor: the same span
// gives the same bits. They are memory of `device`.
double squared_norm(std::span<const float> values, c10::DeviceType device = c10::DeviceType::CPU);
double squared_norm(std::span<const double> values, c10::DeviceType device = c10::DeviceType::CPU);

}  // namespace phalanx::kernels
