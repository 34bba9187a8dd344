#pragma once

#include <cstddef>
#include <cstdint>

namespace phalanx::comm {

// Rows of IEEE 754 binary16 numbers to fp32 and back, with the processor's own conversions where it
// has them (AVX-512, F16C). The bits are those of base/narrow_float.h, whichever way is taken.
void widen_fp16(const std::uint16_t* from, float* to, std::size_t count);
void narrow_fp16(const float* from, std::uint16_t* to, std::size_t count);

}  // namespace phalanx::comm
