#pragma once

#include <cstdint>

namespace phalanx::kernels {

// Which sequence each of a run of tokens belongs to: token i is number first + i of sequences that
// are `length` tokens each and lie one after another.
struct SequenceRun {
  std::int64_t first = 0, length = 1, sequences = 1;

  constexpr std::int64_t sequence(std::int64_t token) const { return (first + token) / length; }
};

}  // namespace phalanx::kernels
