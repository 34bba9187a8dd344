#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/job.h"

namespace phalanx::layout {

enum class Init {
  kNormal,          // N(0, 0.02)
  kResidualNormal,  // N(0, 0.02 / sqrt(2 * layers)): projections that write to the residual stream
                    // (GPT-2)
  kOnes,
  kZeros,
};

// How tensor-parallel ranks divide a tensor (Shoeybi et al. 2019, "Megatron-LM"). What they do not
// divide each of them holds whole and computes with for its own tokens (Korthikanti et al. 2022).
enum class Split : std::uint8_t {
  kNone,
  kRows,     // outputs of a linear (column-parallel there, for it writes weights transposed); words
  kColumns,  // inputs of a linear
};

// One named parameter of the unpartitioned model: everything that is known of it without a process.
struct TensorSpec {
  std::string name;                 // canonical, e.g. "layers.3.attention.query.weight"
  std::vector<std::int64_t> shape;  // row-major; a linear's weight is [outputs, inputs]
  Init init = Init::kNormal;
  bool decay = true;  // takes part in weight decay: matrices do, norms do not
  // Continues the matrix of the tensor before it: one product computes with both, so they lie one
  // behind the other without a gap and their gradients are complete together.
  bool joined = false;
  bool looked_up = false;  // rows are taken, and no product is made with it
  Split split = Split::kNone;
  std::int64_t units = 0;    // that the divided dimension consists of and that stay whole: heads,
                             // channels, words. Fewer units than ranks are held by several each.
  bool tied = false;         // the head's product is made with it too
  std::int64_t layer = -1;   // that computes with it; -1: the embedding, model.layers: the head
  std::int64_t expert = -1;  // of the layer, whose it is, and that ranks of the expert axis divide;
                             // -1: it is every token's
  // No optimizer moves it: the place of its gradient counts the tokens sent to each expert, by
  // which it is moved after the step (Wang et al. 2024, "Auxiliary-Loss-Free Load Balancing").
  bool counts_load = false;

  std::int64_t elements() const;
  bool operator==(const TensorSpec&) const = default;
};

// The parameters of a model's preset, in the order of the forward pass. `model.vocab_size` is
// resolved (not 0).
//
// `llama` (Touvron et al. 2023: RMSNorm before each block, rotary positions, SwiGLU; grouped-query
// attention, Ainslie et al. 2023; the head is not tied to the embedding):
//   embedding.weight                    [vocab, width]
//   layers.I.attention_norm.weight      [width]
//   layers.I.attention.query.weight     [heads * head_width, width]      head_width = width / heads
//   layers.I.attention.key.weight       [kv_heads * head_width, width]
//   layers.I.attention.value.weight     [kv_heads * head_width, width]
//   layers.I.attention.output.weight    [width, heads * head_width]      residual
//   layers.I.ffn_norm.weight            [width]
//   layers.I.ffn.gate.weight            [ffn_width, width]
//   layers.I.ffn.up.weight              [ffn_width, width]
//   layers.I.ffn.down.weight            [width, ffn_width]               residual
//   norm.weight                         [width]
//   head.weight                         [vocab, width]
//
// `gpt2` (Radford et al. 2019: layer norm before each block, learned positions, GELU, biases; the
// head's weight is the embedding's):
//   embedding.weight                         [vocab, width]
//   position.weight                          [sequence_length, width]
//   layers.I.attention_norm.{weight,bias}    [width]
//   layers.I.attention.query.weight          [width, width]        key and value alike
//   layers.I.attention.query.bias            [width]               key and value alike
//   layers.I.attention.output.weight, .bias  [width, width], [width]            residual
//   layers.I.ffn_norm.{weight,bias}          [width]
//   layers.I.ffn.up.weight, .bias            [ffn_width, width], [ffn_width]
//   layers.I.ffn.down.weight, .bias          [width, ffn_width], [width]        residual
//   norm.{weight,bias}                       [width]
//
// `mixtral` (Jiang et al. 2024): llama, with these in place of ffn.gate, up and down (Hugging Face:
// block_sparse_moe.gate and experts.E.w1, w3, w2):
//   layers.I.ffn.router.weight               [experts, width]
//   layers.I.ffn.router.bias                 [experts]             for the choice alone;
//   counts_load layers.I.ffn.experts.E.gate.weight       [ffn_width, width]
//   layers.I.ffn.experts.E.up.weight         [ffn_width, width]
//   layers.I.ffn.experts.E.down.weight       [width, ffn_width]    residual
//
// `qwen_moe` (Qwen Team 2024, "Qwen1.5-MoE"): mixtral with experts of expert_width, an expert that
// all tokens share, and biases (Hugging Face: mlp.gate, mlp.experts.E.gate_proj ...,
// mlp.shared_expert.gate_proj ..., mlp.shared_expert_gate):
//   layers.I.attention.query.bias            [heads * head_width]  key and value alike
//   layers.I.ffn.shared_expert.gate.weight   [ffn_width, width]
//   layers.I.ffn.shared_expert.up.weight     [ffn_width, width]
//   layers.I.ffn.shared_expert.down.weight   [width, ffn_width]    residual
//   layers.I.ffn.shared_gate.weight          [1, width]
std::vector<TensorSpec> tensor_specs(const config::Model& model);

// Parameters of the whole model.
std::int64_t parameter_count(const std::vector<TensorSpec>& specs);

// Model FLOPs of one trained token (forward and backward): 6 per parameter outside the embedding's
// table, of the experts only for those that a token is sent to, and 12 * layers * width *
// sequence_length for attention (Chowdhery et al. 2022, "PaLM", appendix B; recompute is not the
// model's).
double flops_per_token(const config::Model& model);

}  // namespace phalanx::layout
