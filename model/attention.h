#pragma once

#include "config/job.h"
#include "kernels/attention.h"
#include "parallel/block.h"

namespace phalanx::model {

// y = x + output(attention(rope(query(n)), rope(key(n)), value(n))), n = rms_norm(x): the first
// half of a layer. Query, key and value have biases where the parameters hold some (`qwen_moe`).
// `layer` is "layers.I"; x and y [sequences, length, width], positions counted from 0, length at
// most the model's sequence_length.
class Attention : public parallel::Block {
 public:
  Attention(const config::Model& model, const std::string& layer,
            const parallel::Parameters& parameters);
  at::Tensor forward(const at::Tensor& x, parallel::Saved& saved) const override;
  at::Tensor backward_input(const at::Tensor& dy, parallel::Saved& saved) const override;
  void backward_weight(parallel::Saved& saved) const override;

 private:
  kernels::HeadCounts heads_;
  double epsilon_;
  parallel::Parameter norm_;
  parallel::Parameter projection_;  // to query, key and value, [heads + 2 * kv_heads, ...]
  parallel::Parameter bias_;        // of the projection; undefined for none
  parallel::Parameter output_;
  at::Tensor positions_;  // rope_table
};

}  // namespace phalanx::model
