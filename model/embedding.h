#pragma once

#include "parallel/block.h"

namespace phalanx::model {

// Tokens (int64 [sequences, length]) to vectors [sequences, length, width]. Tokens have no
// gradient: backward_input returns an undefined tensor.
class Embedding : public parallel::Block {
 public:
  explicit Embedding(const parallel::Parameters& parameters);
  at::Tensor forward(const at::Tensor& tokens, parallel::Saved& saved) const override;
  at::Tensor backward_input(const at::Tensor& dy, parallel::Saved& saved) const override;
  void backward_weight(parallel::Saved& saved) const override;

 private:
  parallel::Parameter table_;
};

}  // namespace phalanx::model
