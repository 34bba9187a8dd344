#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <span>

namespace phalanx::kernels {

// A loop of multiply-adds and nothing else, for one instruction set.
struct PeakLoop {
  const char* name;
  bool (*runs_here)();
  int lanes, sums;         // `sums` vectors of `lanes` fp32 sums; sum i begins with i + 1
  double flops_per_round;  // of all sums together: two each, and four where pairs of bf16 go in
  // Replaces each sum by sum * factor + addend, or for bf16 by sum + 2 * factor * addend, `rounds`
  // times; returns the total of all lanes.
  double (*run)(std::int64_t rounds, float factor, float addend);
};

// The fastest first; the last runs everywhere. `type`: of what products take, Float or BFloat16.
std::span<const PeakLoop> peak_loops(c10::ScalarType type);

// FLOP/s that the calling thread's core reaches with multiply-adds alone, as products of `type` sum
// them (bf16 in fp32, and as fp32 where the processor has no products of bf16): the fastest of many
// short runs, so that an interruption does not count. Takes a few milliseconds.
double peak_flops_per_second(c10::ScalarType type);

}  // namespace phalanx::kernels
