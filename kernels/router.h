#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "kernels/expert_weights.h"

namespace phalanx::kernels {

// What a router has decided for every token.
struct Routing {
  at::Tensor probabilities;  // [tokens, experts], softmax of the logits
  at::Tensor experts;        // int64 [tokens, chosen], the best first
  at::Tensor weights;        // [tokens, chosen]
};

// Top-k routing (Shazeer et al. 2017): of logits [tokens, experts], fp32 (fp64 in proofs), the
// `chosen` experts with the highest probability + bias; of equal ones the lower number, so that the
// choice is the same everywhere. `bias` [experts] decides the choice and nothing else (Wang et al.
// 2024, "Auxiliary-Loss-Free Load Balancing").
Routing route(const at::Tensor& logits, const at::Tensor& bias, std::int64_t chosen,
              ExpertWeights kind);

// The gradient of the logits, of `dweights` [tokens, chosen] and of `dprobabilities` [tokens,
// experts] (what a balancing loss adds; undefined for none).
at::Tensor route_backward(const at::Tensor& dweights, const at::Tensor& dprobabilities,
                          const Routing& routing, ExpertWeights kind);

}  // namespace phalanx::kernels
