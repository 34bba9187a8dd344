#include "model/embedding.h"

#include "parallel/vocabulary.h"

namespace phalanx::model {
namespace {
enum Slot { kTokens, kOutputGradient, kSlots };
}

Embedding::Embedding(const config::Model& model, const parallel::Parameters& parameters,
                     const parallel::AxisGroups& groups)
    : Block("embedding"),
      axis_(groups, model.sequence_length),
      part_(parallel::vocabulary_part(axis_, model.vocab_size)),
      table_(own(parameters, "embedding.weight")) {}

at::Tensor Embedding::forward(const at::Tensor& tokens, parallel::Saved& saved) const {
  saved.assign(kSlots, {});
  saved[kTokens] = tokens;
  return axis_.reduce_scatter(kernels::embedding(tokens, table_.value, part_));
}

at::Tensor Embedding::backward_input(const at::Tensor& dy, parallel::Saved& saved) const {
  saved[kOutputGradient] = axis_.gather(dy);
  return {};
}

parallel::Block::Backward Embedding::backward(const at::Tensor& dy, parallel::Saved& saved,
                                              parallel::Meanwhile& earlier) const {
  auto all = axis_.start_gather(dy);
  earlier();
  saved[kOutputGradient] = all.wait();
  return {{}, parallel::Meanwhile([&] { backward_weight(saved); })};
}

void Embedding::backward_weight(parallel::Saved& saved) const {
  kernels::add_embedding_backward(saved[kOutputGradient], saved[kTokens], table_.gradient, part_);
}

}  // namespace phalanx::model
