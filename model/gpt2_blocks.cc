#include "model/gpt2_blocks.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>

#include "kernels/bias.h"
#include "kernels/embedding.h"
#include "kernels/gelu.h"
#include "kernels/layer_norm.h"
#include "kernels/linear.h"
#include "parallel/context_attention.h"
#include "parallel/tensor_axis.h"
#include "parallel/to_device.h"
#include "parallel/vocabulary.h"

namespace phalanx::model {
namespace {

using parallel::Block;
using parallel::Meanwhile;
using parallel::Parameter;
using parallel::Parameters;
using parallel::Saved;
using parallel::TensorAxis;

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

// y = x weight^T + bias, of this rank's outputs (parallel/tensor_axis.h).
struct ColumnLinear {
  const TensorAxis& axis;
  Parameter weight, bias;

  at::Tensor forward(const at::Tensor& x) const {
    auto y = axis.column_linear(x, weight.value);
    kernels::add_bias(y, bias.value);
    return y;
  }
  at::Tensor backward_input(const at::Tensor& dy) const {
    return axis.column_backward_input(dy, weight.value);
  }
  void backward_weight(const at::Tensor& dy, const at::Tensor& x_of_all) const {
    kernels::add_bias_backward(dy, bias.gradient);
    kernels::add_linear_backward_weight(dy, x_of_all, weight.gradient);
  }
};

// y = residual + x weight^T + bias, of this rank's inputs; the bias is added to own tokens.
struct RowLinear {
  const TensorAxis& axis;
  Parameter weight, bias;

  at::Tensor forward_plus(const at::Tensor& x, const at::Tensor& residual) const {
    auto y = axis.row_linear_plus(x, weight.value, residual);
    kernels::add_bias(y, bias.value);
    return y;
  }
  TensorAxis::RowGradient backward_input(const at::Tensor& dy, Meanwhile* meanwhile) const {
    return axis.row_backward_input(dy, weight.value, meanwhile);
  }
  void backward_weight(const at::Tensor& dy, const at::Tensor& dy_of_all,
                       const at::Tensor& x) const {
    kernels::add_bias_backward(dy, bias.gradient);
    kernels::add_linear_backward_weight(dy_of_all, x, weight.gradient);
  }
};

// Of the parameters that lie one behind the other on every rank.
Parameter only(std::vector<Parameter> runs) {
  check(runs.size() == 1, "gpt2: query, key and value lie one behind the other");
  return std::move(runs.front());
}

class Embedding : public Block {
 public:
  Embedding(const config::Model& model, const Parameters& parameters,
            const parallel::AxisGroups& groups)
      : Block("embedding"),
        axis_(groups, model.sequence_length),
        part_(parallel::vocabulary_part(axis_, model.vocab_size)),
        whole_{0, model.sequence_length},
        table_(own(parameters, "embedding.weight")),
        positions_(own(parameters, "position.weight")),
        own_positions_(
            parallel::to_device(at::tensor(groups.own_positions(model.sequence_length), at::kLong),
                                positions_.value.device())) {}

  at::Tensor forward(const at::Tensor& tokens, Saved& saved) const override {
    saved.assign(kSlots, {});
    saved[kTokens] = tokens;
    auto y = axis_.reduce_scatter(kernels::embedding(tokens, table_.value, part_));
    saved[kPositions] = positions_of_own_tokens(y, tokens.size(1));
    return y.add_(kernels::embedding(saved[kPositions], positions_.value, whole_));
  }
  at::Tensor backward_input(const at::Tensor& dy, Saved& saved) const override {
    saved[kOwnOutputGradient] = dy;
    saved[kOutputGradient] = axis_.gather(dy);
    return {};
  }
  Backward backward(const at::Tensor& dy, Saved& saved, Meanwhile& earlier) const override {
    auto all = axis_.start_gather(dy);
    earlier();
    saved[kOwnOutputGradient] = dy;
    saved[kOutputGradient] = all.wait();
    return {{}, Meanwhile([&] { backward_weight(saved); })};
  }
  void backward_weight(Saved& saved) const override {
    kernels::add_embedding_backward(saved[kOutputGradient], saved[kTokens], table_.gradient, part_);
    kernels::add_embedding_backward(saved[kOwnOutputGradient], saved[kPositions],
                                    positions_.gradient, whole_);
  }

 private:
  enum Slot { kTokens, kPositions, kOwnOutputGradient, kOutputGradient, kSlots };

  at::Tensor positions_of_own_tokens(const at::Tensor& y, std::int64_t length) const {
    const auto count = y.size(0) * y.size(1);
    const auto first = axis_.rank() * count;
    const auto places = at::arange(first, first + count, own_positions_.options());
    return own_positions_.index_select(0, places.remainder(length)).view({y.size(0), y.size(1)});
  }

  TensorAxis axis_;
  kernels::VocabularyPart part_, whole_;
  Parameter table_, positions_;
  at::Tensor own_positions_;  // of a sequence, int64
};

class Attention : public Block {
 public:
  Attention(const config::Model& model, const std::string& layer, const Parameters& parameters,
            const parallel::AxisGroups& groups)
      : Block(layer + ".attention"),
        axis_(groups, model.sequence_length),
        attention_(groups, {model.heads / axis_.size(), model.heads / axis_.size()}),
        norm_{own(parameters, layer + ".attention_norm.weight"),
              own(parameters, layer + ".attention_norm.bias"), model.norm_epsilon},
        projection_{axis_, only(own_joined(parameters, of_query_key_value(".weight"))),
                    only(own_joined(parameters, of_query_key_value(".bias")))},
        output_{axis_, own(parameters, name() + ".output.weight"),
                own(parameters, name() + ".output.bias")} {}

  at::Tensor forward(const at::Tensor& x, Saved& saved) const override {
    saved.assign(kSlots, {});
    const auto projected = projection_.forward(norm_.forward(x, saved));
    saved[kProjected] = projected;
    saved[kAttended] =
        attention_.forward(part(projected, 0), part(projected, 1), part(projected, 2), saved);
    return output_.forward_plus(saved[kAttended], x);
  }
  at::Tensor backward_input(const at::Tensor& dy, Saved& saved) const override {
    return backward_input(dy, saved, {});
  }
  Backward backward(const at::Tensor& dy, Saved& saved, Meanwhile& earlier) const override {
    if (axis_.alone() && !attention_.moves()) return Block::backward(dy, saved, earlier);
    Meanwhile output([&] { output_backward_weight(saved); });
    // Where tokens are gathered for the projection's weight, that is the time for the output's.
    auto dx = backward_input(dy, saved, {&earlier, axis_.alone() ? &output : nullptr});
    return {std::move(dx), Meanwhile([&, output]() mutable { backward_weight(saved, output); })};
  }
  void backward_weight(Saved& saved) const override {
    Meanwhile output([&] { output_backward_weight(saved); });
    backward_weight(saved, output);
  }

 private:
  at::Tensor backward_input(const at::Tensor& dy, Saved& saved, parallel::Shade shade) const {
    saved[kOwnOutputGradient] = dy;
    const auto [dattended, dy_of_all] = output_.backward_input(dy, shade.first);
    saved[kOutputGradient] = dy_of_all;
    auto query = part(saved[kProjected], 0), key = part(saved[kProjected], 1),
         value = part(saved[kProjected], 2);
    attention_.backward(dattended, query, key, value, saved[kAttended], saved, kSlots, shade);
    return norm_.backward_input(projection_.backward_input(saved[kProjected]), dy, saved);
  }
  void output_backward_weight(Saved& saved) const {
    output_.backward_weight(saved[kOwnOutputGradient], saved[kOutputGradient], saved[kAttended]);
  }
  // `output`: what is left of the output's.
  void backward_weight(Saved& saved, Meanwhile& output) const {
    auto normed = axis_.start_gather(saved[Norm::kNormed]);
    output();
    projection_.backward_weight(saved[kProjected], normed.wait());
    norm_.backward_weight(saved);
  }

  enum Slot {
    kProjected = Norm::kSlots,  // queries, keys and values side by side; their gradient once
                                // backward_input has run
    kAttended,
    kOwnOutputGradient,
    kOutputGradient,  // of all tokens
    kSlots            // what attention itself keeps follows
  };
  std::vector<std::string> of_query_key_value(const std::string& kind) const {
    return {name() + ".query" + kind, name() + ".key" + kind, name() + ".value" + kind};
  }
  static at::Tensor part(const at::Tensor& projected, std::int64_t index) {
    const std::int64_t width = projected.size(2) / 3;
    return projected.narrow(2, index * width, width);
  }

  TensorAxis axis_;
  parallel::ContextAttention attention_;  // of this rank's heads
  Norm norm_;
  ColumnLinear projection_;  // to query, key and value
  RowLinear output_;
};

class FeedForward : public Block {
 public:
  FeedForward(const config::Model& model, const std::string& layer, const Parameters& parameters,
              const parallel::AxisGroups& groups)
      : Block(layer + ".ffn"),
        axis_(groups, model.sequence_length),
        norm_{own(parameters, layer + ".ffn_norm.weight"),
              own(parameters, layer + ".ffn_norm.bias"), model.norm_epsilon},
        up_{axis_, own(parameters, name() + ".up.weight"), own(parameters, name() + ".up.bias")},
        down_{axis_, own(parameters, name() + ".down.weight"),
              own(parameters, name() + ".down.bias")} {}

  at::Tensor forward(const at::Tensor& x, Saved& saved) const override {
    saved.assign(kSlots, {});
    saved[kUp] = up_.forward(norm_.forward(x, saved));
    return down_.forward_plus(kernels::gelu(saved[kUp]), x);
  }
  at::Tensor backward_input(const at::Tensor& dy, Saved& saved) const override {
    return backward_input(dy, saved, nullptr);
  }
  Backward backward(const at::Tensor& dy, Saved& saved, Meanwhile& earlier) const override {
    if (axis_.alone()) return Block::backward(dy, saved, earlier);
    return {backward_input(dy, saved, &earlier), Meanwhile([&] { backward_weight(saved); })};
  }
  void backward_weight(Saved& saved) const override {
    auto normed = axis_.start_gather(saved[Norm::kNormed]);
    down_.backward_weight(saved[kOwnOutputGradient], saved[kOutputGradient], saved[kHidden]);
    up_.backward_weight(saved[kUp], normed.wait());
    norm_.backward_weight(saved);
  }

 private:
  at::Tensor backward_input(const at::Tensor& dy, Saved& saved, Meanwhile* earlier) const {
    saved[kOwnOutputGradient] = dy;
    auto [dhidden, dy_of_all] = down_.backward_input(dy, earlier);
    saved[kOutputGradient] = dy_of_all;
    kernels::gelu_backward(dhidden, saved[kUp]);
    saved[kHidden] = dhidden;
    return norm_.backward_input(up_.backward_input(saved[kUp]), dy, saved);
  }

  enum Slot {
    kUp = Norm::kSlots,  // its gradient once backward_input has run
    kHidden,             // from then on
    kOwnOutputGradient,
    kOutputGradient,  // of all tokens
    kSlots
  };
  TensorAxis axis_;
  Norm norm_;
  ColumnLinear up_;
  RowLinear down_;
};

class Head : public Block {
 public:
  Head(const config::Model& model, const Parameters& parameters, const parallel::AxisGroups& groups)
      : Block("head"),
        axis_(groups, model.sequence_length),
        norm_{own(parameters, "norm.weight"), own(parameters, "norm.bias"), model.norm_epsilon},
        table_(own(parameters, "embedding.weight")) {}

  at::Tensor forward(const at::Tensor& x, Saved& saved) const override {
    saved.assign(kSlots, {});
    return axis_.column_linear(norm_.forward(x, saved), table_.value);
  }
  at::Tensor backward_input(const at::Tensor& dlogits, Saved& saved) const override {
    saved[kOutputGradient] = dlogits;
    return norm_.backward_input(axis_.column_backward_input(dlogits, table_.value), {}, saved);
  }
  void backward_weight(Saved& saved) const override {
    kernels::add_linear_backward_weight(saved[kOutputGradient], axis_.gather(saved[Norm::kNormed]),
                                        table_.gradient);
    norm_.backward_weight(saved);
  }

 private:
  enum Slot { kOutputGradient = Norm::kSlots, kSlots };
  TensorAxis axis_;
  Norm norm_;
  Parameter table_;  // the embedding's
};

}  // namespace

std::vector<std::unique_ptr<Block>> gpt2_blocks(const config::Model& model,
                                                const layout::StageLayers& layers,
                                                const Parameters& parameters,
                                                const parallel::AxisGroups& groups) {
  std::vector<std::unique_ptr<Block>> blocks;
  if (layers.embedding) blocks.push_back(std::make_unique<Embedding>(model, parameters, groups));
  for (std::int64_t i = layers.first; i < layers.last; ++i) {
    const std::string layer = "layers." + std::to_string(i);
    blocks.push_back(std::make_unique<Attention>(model, layer, parameters, groups));
    blocks.push_back(std::make_unique<FeedForward>(model, layer, parameters, groups));
  }
  if (layers.head) blocks.push_back(std::make_unique<Head>(model, parameters, groups));
  return blocks;
}

}  // namespace phalanx::model
