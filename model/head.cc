#include "model/head.h"

#include "kernels/linear.h"
#include "kernels/rms_norm.h"

namespace phalanx::model {
namespace {
enum Slot { kInput, kInverseRms, kNormed, kNormGradient, kOutputGradient, kSlots };
}

Head::Head(const config::Model& model, const parallel::Parameters& parameters,
           const parallel::AxisGroups& groups)
    : Block("head"),
      axis_(groups, model.sequence_length),
      epsilon_(model.norm_epsilon),
      norm_(own(parameters, "norm.weight")),
      projection_(own(parameters, "head.weight")) {}

at::Tensor Head::forward(const at::Tensor& x, parallel::Saved& saved) const {
  const auto normed = kernels::rms_norm(x, norm_.value, epsilon_);
  saved.assign(kSlots, {});
  saved[kInput] = x;
  saved[kInverseRms] = normed.inverse_rms;
  return axis_.column_linear(normed.y, projection_.value);
}

at::Tensor Head::backward_input(const at::Tensor& dlogits, parallel::Saved& saved) const {
  auto dnormed = axis_.column_backward_input(dlogits, projection_.value);
  auto norm =
      kernels::rms_norm_backward(dnormed, saved[kInput], norm_.value, saved[kInverseRms], {});
  saved[kNormed] = dnormed;
  saved[kNormGradient] = norm.dweight;
  saved[kOutputGradient] = dlogits;
  return norm.dx;
}

void Head::backward_weight(parallel::Saved& saved) const {
  kernels::add_linear_backward_weight(saved[kOutputGradient], axis_.gather(saved[kNormed]),
                                      projection_.gradient);
  norm_.gradient.add_(saved[kNormGradient]);
}

}  // namespace phalanx::model
