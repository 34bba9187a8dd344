#include "model/gpt2_blocks.h"

#include <ATen/core/Tensor.h>

#include "kernels/attention.h"
#include "kernels/bias.h"
#include "kernels/embedding.h"
#include "kernels/gelu.h"
#include "kernels/layer_norm.h"
#include "kernels/linear.h"

namespace phalanx::model {
namespace {

using parallel::Block;
using parallel::Parameter;
using parallel::Parameters;
using parallel::Saved;

// The layer norm that every block but the embedding begins with. Keeps in `saved`, from kInput on,
// what its backward pass needs.
class Norm {
 public:
  enum Slot { kInput, kMean, kInverseDeviation, kNormed, kWeightGradient, kBiasGradient, kSlots };

  Norm(Parameter weight, Parameter bias, double epsilon)
      : weight_(std::move(weight)), bias_(std::move(bias)), epsilon_(epsilon) {}

  at::Tensor forward(const at::Tensor& x, Saved& saved) const {
    const auto normed = kernels::layer_norm(x, weight_.value, bias_.value, epsilon_);
    saved[kInput] = x;
    saved[kMean] = normed.mean;
    saved[kInverseDeviation] = normed.inverse_deviation;
    return normed.y;
  }
  // `dnormed` is taken; `residual` goes around the norm (undefined: nothing does).
  at::Tensor backward_input(at::Tensor dnormed, const at::Tensor& residual, Saved& saved) const {
    auto gradient = kernels::layer_norm_backward(dnormed, saved[kInput], weight_.value, bias_.value,
                                                 saved[kMean], saved[kInverseDeviation], residual);
    saved[kNormed] = dnormed;
    saved[kWeightGradient] = gradient.dweight;
    saved[kBiasGradient] = gradient.dbias;
    return gradient.dx;
  }
  void backward_weight(const Saved& saved) const {
    weight_.gradient.add_(saved[kWeightGradient]);
    bias_.gradient.add_(saved[kBiasGradient]);
  }

 private:
  Parameter weight_, bias_;
  double epsilon_;
};

// y = x weight^T + bias.
struct Linear {
  Parameter weight, bias;

  at::Tensor forward(const at::Tensor& x) const {
    auto y = kernels::linear(x, weight.value);
    kernels::add_bias(y, bias.value);
    return y;
  }
  at::Tensor forward_plus(const at::Tensor& x, const at::Tensor& residual) const {
    auto y = kernels::linear_plus(x, weight.value, residual);
    kernels::add_bias(y, bias.value);
    return y;
  }
  void backward_weight(const at::Tensor& dy, const at::Tensor& x) const {
    kernels::add_bias_backward(dy, bias.gradient);
    kernels::add_linear_backward_weight(dy, x, weight.gradient);
  }
};

class Embedding : public Block {
 public:
  explicit Embedding(const Parameters& parameters)
      : Block("embedding"),
        table_(own(parameters, "embedding.weight")),
        positions_(own(parameters, "position.weight")) {}

  at::Tensor forward(const at::Tensor& tokens, Saved& saved) const override {
    saved.assign(kSlots, {});
    saved[kTokens] = tokens;
    return kernels::embedding(tokens, table_.value)
        .add_(positions_.value.narrow(0, 0, tokens.size(1)));
  }
  at::Tensor backward_input(const at::Tensor& dy, Saved& saved) const override {
    saved[kOutputGradient] = dy;
    return {};
  }
  void backward_weight(Saved& saved) const override {
    const auto& dy = saved[kOutputGradient];
    kernels::add_embedding_backward(dy, saved[kTokens], table_.gradient);
    // A row for each sequence.
    kernels::add_bias_backward(dy.view({dy.size(0), -1}),
                               positions_.gradient.narrow(0, 0, dy.size(1)).view(-1));
  }

 private:
  enum Slot { kTokens, kOutputGradient, kSlots };
  Parameter table_, positions_;
};

class Attention : public Block {
 public:
  Attention(const config::Model& model, const std::string& layer, const Parameters& parameters)
      : Block(layer + ".attention"),
        heads_{model.heads, model.heads},
        norm_{own(parameters, layer + ".attention_norm.weight"),
              own(parameters, layer + ".attention_norm.bias"), model.norm_epsilon},
        projection_{own_joined(parameters, of_query_key_value(".weight")),
                    own_joined(parameters, of_query_key_value(".bias"))},
        output_{own(parameters, name() + ".output.weight"),
                own(parameters, name() + ".output.bias")} {}

  at::Tensor forward(const at::Tensor& x, Saved& saved) const override {
    saved.assign(kSlots, {});
    const auto projected = projection_.forward(norm_.forward(x, saved));
    const auto attended =
        kernels::attention(part(projected, 0), part(projected, 1), part(projected, 2), heads_);
    saved[kProjected] = projected;
    saved[kAttended] = attended.out;
    saved[kLogSumExp] = attended.log_sum_exp;
    return output_.forward_plus(attended.out, x);
  }
  at::Tensor backward_input(const at::Tensor& dy, Saved& saved) const override {
    const auto dattended = kernels::linear_backward_input(dy, output_.weight.value);
    auto query = part(saved[kProjected], 0), key = part(saved[kProjected], 1),
         value = part(saved[kProjected], 2);
    kernels::attention_backward(dattended, query, key, value, {saved[kAttended], saved[kLogSumExp]},
                                heads_);
    saved[kOutputGradient] = dy;
    return norm_.backward_input(
        kernels::linear_backward_input(saved[kProjected], projection_.weight.value), dy, saved);
  }
  void backward_weight(Saved& saved) const override {
    output_.backward_weight(saved[kOutputGradient], saved[kAttended]);
    projection_.backward_weight(saved[kProjected], saved[Norm::kNormed]);
    norm_.backward_weight(saved);
  }

 private:
  enum Slot {
    kProjected = Norm::kSlots,  // queries, keys and values side by side; their gradient once
                                // backward_input has run
    kAttended,
    kLogSumExp,
    kOutputGradient,
    kSlots
  };
  std::vector<std::string> of_query_key_value(const std::string& kind) const {
    return {name() + ".query" + kind, name() + ".key" + kind, name() + ".value" + kind};
  }
  static at::Tensor part(const at::Tensor& projected, std::int64_t index) {
    const std::int64_t width = projected.size(2) / 3;
    return projected.narrow(2, index * width, width);
  }

  kernels::HeadCounts heads_;
  Norm norm_;
  Linear projection_;  // to query, key and value
  Linear output_;
};

class FeedForward : public Block {
 public:
  FeedForward(const config::Model& model, const std::string& layer, const Parameters& parameters)
      : Block(layer + ".ffn"),
        norm_{own(parameters, layer + ".ffn_norm.weight"),
              own(parameters, layer + ".ffn_norm.bias"), model.norm_epsilon},
        up_{own(parameters, name() + ".up.weight"), own(parameters, name() + ".up.bias")},
        down_{own(parameters, name() + ".down.weight"), own(parameters, name() + ".down.bias")} {}

  at::Tensor forward(const at::Tensor& x, Saved& saved) const override {
    saved.assign(kSlots, {});
    saved[kUp] = up_.forward(norm_.forward(x, saved));
    return down_.forward_plus(kernels::gelu(saved[kUp]), x);
  }
  at::Tensor backward_input(const at::Tensor& dy, Saved& saved) const override {
    auto dhidden = kernels::linear_backward_input(dy, down_.weight.value);
    kernels::gelu_backward(dhidden, saved[kUp]);
    saved[kHidden] = dhidden;
    saved[kOutputGradient] = dy;
    return norm_.backward_input(kernels::linear_backward_input(saved[kUp], up_.weight.value), dy,
                                saved);
  }
  void backward_weight(Saved& saved) const override {
    down_.backward_weight(saved[kOutputGradient], saved[kHidden]);
    up_.backward_weight(saved[kUp], saved[Norm::kNormed]);
    norm_.backward_weight(saved);
  }

 private:
  enum Slot {
    kUp = Norm::kSlots,  // its gradient once backward_input has run
    kHidden,             // from then on
    kOutputGradient,
    kSlots
  };
  Norm norm_;
  Linear up_, down_;
};

class Head : public Block {
 public:
  Head(const config::Model& model, const Parameters& parameters)
      : Block("head"),
        norm_{own(parameters, "norm.weight"), own(parameters, "norm.bias"), model.norm_epsilon},
        table_(parameters.at("embedding.weight")) {}

  at::Tensor forward(const at::Tensor& x, Saved& saved) const override {
    saved.assign(kSlots, {});
    return kernels::linear(norm_.forward(x, saved), table_.value);
  }
  at::Tensor backward_input(const at::Tensor& dlogits, Saved& saved) const override {
    saved[kOutputGradient] = dlogits;
    return norm_.backward_input(kernels::linear_backward_input(dlogits, table_.value), {}, saved);
  }
  void backward_weight(Saved& saved) const override {
    kernels::add_linear_backward_weight(saved[kOutputGradient], saved[Norm::kNormed],
                                        table_.gradient);
    norm_.backward_weight(saved);
  }

 private:
  enum Slot { kOutputGradient = Norm::kSlots, kSlots };
  Norm norm_;
  Parameter table_;  // the embedding's
};

}  // namespace

std::vector<std::unique_ptr<Block>> gpt2_blocks(const config::Model& model,
                                                const Parameters& parameters) {
  std::vector<std::unique_ptr<Block>> blocks;
  blocks.push_back(std::make_unique<Embedding>(parameters));
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const std::string layer = "layers." + std::to_string(i);
    blocks.push_back(std::make_unique<Attention>(model, layer, parameters));
    blocks.push_back(std::make_unique<FeedForward>(model, layer, parameters));
  }
  blocks.push_back(std::make_unique<Head>(model, parameters));
  return blocks;
}

}  // namespace phalanx::model
