#pragma once

#include <cstdint>

#include "kernels/expert_weights.h"

// kernels/router.h, on plain memory.
namespace phalanx::kernels {

template <class T>
struct Route {
  const T *logits, *bias;
  T* probabilities;
  std::int64_t* experts;
  T* weights;
  std::int64_t tokens, count, chosen;  // `count` experts
  ExpertWeights kind;
};

// `dprobabilities` null: none. dlogits are zero.
template <class T>
struct RouteBackward {
  const T *dweights, *dprobabilities, *probabilities, *weights;
  const std::int64_t* experts;
  T* dlogits;
  std::int64_t tokens, count, chosen;
  ExpertWeights kind;
};

}  // namespace phalanx::kernels
