#include "runtime/finite_search.h"

#include <ATen/ops/isfinite.h>

#include "layout/tensor_spec.h"

namespace phalanx::runtime {
namespace {

bool finite(const at::Tensor& tensor) { return at::isfinite(tensor).all().item<bool>(); }

}  // namespace

parallel::ExecutorHooks FiniteSearch::watching(parallel::ExecutorHooks hooks) {
  hooks.enter = [this, enter = hooks.enter](const layout::Operation& operation) {
    if (enter) enter(operation);
    now_ = operation.micro_batch;
  };
  hooks.watch.before = [this, before = hooks.watch.before](const parallel::Block& block) {
    if (before) before(block);
    for (const auto& name : block.parameters())
      if (!finite(parameters_.at(name).value)) find(moment_of(name), name);
  };
  hooks.watch.after = [this](const parallel::Block& block, const at::Tensor& y) {
    if (!finite(y)) find(moment_of(block.name()), "the output of " + block.name());
  };
  hooks.ready = [this](const std::string& tensor) {
    const auto& gradient = parameters_.at(tensor).gradient;
    // After the loss, in the other direction.
    if (!finite(gradient)) find(2 * moment_of("") - moment_of(tensor), "the gradient of " + tensor);
  };
  return hooks;
}

void FiniteSearch::see_loss(const at::Tensor& loss) {
  if (loss.defined() && !finite(loss)) find(moment_of(""), "the loss");
}

// Layers count from 1; each thing in its order in tensor_specs, the loss ("") behind all.
double FiniteSearch::moment_of(const std::string& name) const {
  double place = 0;
  for (const auto& spec : layout::tensor_specs(model_)) {
    if (!name.empty() && spec.name.starts_with(name)) return place;
    ++place;
  }
  return place;
}

void FiniteSearch::find(double moment, const std::string& what) {
  if (moment >= moment_) return;
  moment_ = moment;
  found_ = what;
  micro_batch_ = now_;
}

}  // namespace phalanx::runtime
