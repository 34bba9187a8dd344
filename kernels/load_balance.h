#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/sequence_run.h"

namespace phalanx::kernels {

// How often each expert was chosen in each sequence: [sequences, experts], in the type of `like`.
at::Tensor expert_load(const at::Tensor& experts, const at::Tensor& like, SequenceRun run);

// The sum over tokens and experts of load[its sequence, expert] * probabilities[token, expert], one
// fp64 number [1]; the gradient of the probabilities is each token's row of load, load_of_tokens().
at::Tensor balance_loss(const at::Tensor& probabilities, const at::Tensor& load, SequenceRun run);
at::Tensor load_of_tokens(const at::Tensor& load, std::int64_t tokens, SequenceRun run);

}  // namespace phalanx::kernels
