#include "launcher/cli/parity_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace phalanx::launcher {
namespace {

constexpr std::array kTolerances = {ParityTolerance{"fp64", 1e-10, 1e-10},
                                    ParityTolerance{"fp32", 1e-4, 1e-4},
                                    ParityTolerance{"bf16", 5e-2, 2e-2}};

// Relative, of two numbers.
double difference(double found, double expected) {
  return std::abs(found - expected) / std::max(std::abs(expected), 1e-300);
}

}  // namespace

ParityTolerance parity_tolerance(const std::string& precision) {
  const auto found = std::ranges::find(kTolerances, precision, &ParityTolerance::precision);
  check(found != kTolerances.end(), "a precision has a tolerance");
  return *found;
}

std::string first_difference(const protocol::ParityResult& result,
                             const ParityTolerance& tolerance) {
  // A number that is none is no equal either.
  const auto differs = [](double difference, double most) { return !(difference <= most); };
  for (const auto& tensor : result.gradients())
    if (differs(tensor.difference(), tolerance.gradient))
      return fmt::format("the gradient of {} in the first step: by {:.3g} of its norm",
                         tensor.name(), tensor.difference());
  for (int i = 0; i < result.steps_size(); ++i) {
    const auto& step = result.steps(i);
    if (differs(difference(step.loss(), step.loss_against()), tolerance.step))
      return fmt::format("the loss of step {}: {:.17g}, expected {:.17g}", i + 1, step.loss(),
                         step.loss_against());
    if (differs(difference(step.grad_norm(), step.grad_norm_against()), tolerance.step))
      return fmt::format("the gradient norm of step {}: {:.17g}, expected {:.17g}", i + 1,
                         step.grad_norm(), step.grad_norm_against());
  }
  return {};
}

nlohmann::ordered_json parity_json(const protocol::ParityResult& result,
                                   const ParityTolerance& tolerance) {
  using Json = nlohmann::ordered_json;
  const auto first = first_difference(result, tolerance);
  Json json = {{"precision", tolerance.precision},
               {"gradient_tolerance", tolerance.gradient},
               {"step_tolerance", tolerance.step},
               {"equal", first.empty()},
               {"first_difference", first},
               {"gradients", Json::array()},
               {"steps", Json::array()}};
  for (const auto& tensor : result.gradients())
    json["gradients"].push_back({{"tensor", tensor.name()}, {"difference", tensor.difference()}});
  for (const auto& step : result.steps())
    json["steps"].push_back({{"loss", step.loss()},
                             {"loss_against", step.loss_against()},
                             {"grad_norm", step.grad_norm()},
                             {"grad_norm_against", step.grad_norm_against()}});
  return json;
}

std::string parity_text(const protocol::ParityResult& result, const ParityTolerance& tolerance) {
  const auto worst = std::ranges::max_element(
      result.gradients(), {}, [](const auto& tensor) { return tensor.difference(); });
  double steps = 0;
  for (const auto& step : result.steps())
    steps = std::max({steps, difference(step.loss(), step.loss_against()),
                      difference(step.grad_norm(), step.grad_norm_against())});
  return fmt::format(
      "{}, gradients of {} tensors in the first step: largest difference {:.2g} of {:.2g} "
      "allowed ({})\nlosses and gradient norms of {} steps: largest difference {:.2g} of {:.2g} "
      "allowed",
      tolerance.precision, result.gradients_size(), worst->difference(), tolerance.gradient,
      worst->name(), result.steps_size(), steps, tolerance.step);
}

}  // namespace phalanx::launcher
