#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/as_strided.h>

#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "parallel/meanwhile.h"

namespace phalanx::parallel {

// A parameter and its gradient, as views into memory that someone else owns (flat buckets) and that
// outlives the views.
struct Parameter {
  at::Tensor value;
  at::Tensor gradient;
};

// By canonical name (layout/tensor_spec.h).
using Parameters = std::map<std::string, Parameter>;

// What a block keeps of one micro-batch between its passes: filled by forward, added to by
// backward_input, and of no use after backward_weight. The caller owns it; which tensor is where is
// the block's business.
using Saved = std::vector<at::Tensor>;

// A layer whose passes are written by hand, so that a schedule decides when each one runs and what
// stays in memory.
//   forward(x, saved)          y; `saved` gets what the backward passes need
//   backward_input(dy, saved)  the gradient of x, given that of y; touches no parameter's gradient
//   backward_weight(saved)     adds this micro-batch's part to the gradients of parameters(); any
//                              time after backward_input, with the same bits
//   backward(dy, saved, earlier)  the gradient of x, and what is left of backward_weight, with the
//                              same bits: a block that waits for other ranks does `earlier`, and
//                              maybe some of its own, while they are on their way
// Gradients accumulate. Blocks keep x and dy, so nobody writes to these any more; y and dx are the
// caller's.
class Block {
 public:
  virtual ~Block() = default;
  virtual at::Tensor forward(const at::Tensor& x, Saved& saved) const = 0;
  virtual at::Tensor backward_input(const at::Tensor& dy, Saved& saved) const = 0;
  virtual void backward_weight(Saved& saved) const = 0;

  struct Backward {
    at::Tensor dx;
    Meanwhile weight;  // valid as long as the block and `saved`
  };
  virtual Backward backward(const at::Tensor& dy, Saved& saved, Meanwhile& earlier) const {
    earlier();
    return {backward_input(dy, saved), Meanwhile([this, &saved] { backward_weight(saved); })};
  }

  // What the block adds to the model's loss beside the cross-entropy, one fp64 number on its
  // device, or undefined: nothing. Between forward and backward_input, which sees to its gradient.
  virtual at::Tensor auxiliary_loss(const Saved& /*saved*/) const { return {}; }

  // The common start of its parameters' names: "embedding", "layers.3.attention".
  const std::string& name() const { return name_; }
  // Canonical names, in the order of the forward pass.
  const std::vector<std::string>& parameters() const { return parameters_; }

 protected:
  explicit Block(std::string name, std::vector<std::string> parameters = {})
      : name_(std::move(name)), parameters_(std::move(parameters)) {}

  // The parameter called `name`, which becomes one of this block's.
  Parameter own(const Parameters& all, const std::string& name) {
    const auto found = all.find(name);
    check(found != all.end(), "block: no parameter " + name);
    parameters_.push_back(name);
    return found->second;
  }

  // The parameters called `names`, which become this block's, as matrices or vectors of all their
  // rows, for one product with each: those that lie one behind the other are one
  // (layout::TensorSpec::joined).
  std::vector<Parameter> own_joined(const Parameters& all, const std::vector<std::string>& names) {
    std::vector<Parameter> runs;
    for (const auto& name : names) {
      const Parameter part = own(all, name);
      if (runs.empty() || !continues(part.value, runs.back().value))
        runs.push_back(part);
      else
        runs.back() = {join(runs.back().value, part.value),
                       join(runs.back().gradient, part.gradient)};
    }
    return runs;
  }

 private:
  static bool continues(const at::Tensor& part, const at::Tensor& rows) {
    return part.storage().is_alias_of(rows.storage()) &&
           part.storage_offset() == rows.storage_offset() + rows.numel();
  }
  // A view of the storage, whose memory may come and go.
  static at::Tensor join(const at::Tensor& rows, const at::Tensor& more) {
    if (!rows.defined()) return rows;
    check(continues(more, rows), "block: gradients lie as their parameters do");
    auto shape = rows.sizes().vec();
    shape[0] += more.size(0);
    return rows.as_strided(shape, rows.strides());
  }

  std::string name_;
  std::vector<std::string> parameters_;
};

}  // namespace phalanx::parallel
