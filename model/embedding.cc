#include "model/embedding.h"

#include "kernels/embedding.h"

namespace phalanx::model {
namespace {
enum Slot { kTokens, kOutputGradient, kSlots };
}

Embedding::Embedding(const parallel::Parameters& parameters)
    : Block("embedding"), table_(own(parameters, "embedding.weight")) {}

at::Tensor Embedding::forward(const at::Tensor& tokens, parallel::Saved& saved) const {
  saved.assign(kSlots, {});
  saved[kTokens] = tokens;
  return kernels::embedding(tokens, table_.value);
}

at::Tensor Embedding::backward_input(const at::Tensor& dy, parallel::Saved& saved) const {
  saved[kOutputGradient] = dy;
  return {};
}

void Embedding::backward_weight(parallel::Saved& saved) const {
  kernels::add_embedding_backward(saved[kOutputGradient], saved[kTokens], table_.gradient);
}

}  // namespace phalanx::model
