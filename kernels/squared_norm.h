#pragma once

#include <span>

namespace phalanx::kernels {

// The sum of squares, accumulated in fp64 in one fixed order whatever the processor: the same span
// gives the same bits.
double squared_norm(std::span<const float> values);
double squared_norm(std::span<const double> values);

}  // namespace phalanx::kernels
