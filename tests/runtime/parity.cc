#include "tests/runtime/parity.h"

#include <cmath>

namespace phalanx::runtime {
namespace {

double norm_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

// A bias of keys moves all scores of a query alike, so that its gradient is nothing but rounding:
// beside that of the weights.
double gradient_error(const std::string& name, const Outcome& found, const Outcome& expected) {
  const auto& gradient = expected.gradients.at(name);
  const auto error = relative_error(found.gradients.at(name), gradient);
  if (!name.ends_with("key.bias")) return error;
  const auto weights = name.substr(0, name.size() - 4) + "weight";
  return error * norm_of(gradient) / norm_of(expected.gradients.at(weights));
}

}  // namespace

std::optional<Difference> first_difference(const config::Model& model, const Outcome& found,
                                           const Outcome& expected) {
  std::optional<Difference> first;
  const auto look = [&](const std::string& where, double error) {
    if (!first && !(error <= kTolerance)) first = {where, error};  // not a number is one, too
  };
  for (const auto& spec : layout::tensor_specs(model))
    look(spec.name, gradient_error(spec.name, found, expected));
  const auto look_at_number = [&](const std::string& where, double value, double right) {
    look(where, std::abs(value / right - 1));
  };
  for (std::size_t i = 0; i < expected.curve.losses.size(); ++i) {
    const auto step = " of step " + std::to_string(i + 1);
    look_at_number("loss" + step, found.curve.losses[i], expected.curve.losses[i]);
    look_at_number("norm" + step, found.curve.norms[i], expected.curve.norms[i]);
  }
  look_at_number("validation", found.curve.validation, expected.curve.validation);
  return first;
}

}  // namespace phalanx::runtime
