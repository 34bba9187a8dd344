#pragma once

#include <cstdint>

#include "kernels/sequence_run.h"

// kernels/load_balance.h, on plain memory: `count` experts.
namespace phalanx::kernels {

// load [sequences, count].
template <class T>
struct ExpertLoad {
  const std::int64_t* experts;
  T* load;
  std::int64_t tokens, chosen, count;
  SequenceRun run;
};

template <class T>
struct BalanceLoss {
  const T *probabilities, *load;
  double* losses;  // of each token
  std::int64_t tokens, count;
  SequenceRun run;
};

template <class T>
struct LoadOfTokens {
  const T* load;
  T* of_tokens;
  std::int64_t tokens, count;
  SequenceRun run;
};

}  // namespace phalanx::kernels
