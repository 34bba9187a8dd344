#include "runtime/parity.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "config/load.h"
#include "layout/tensor_spec.h"
#include "runtime/local_ranks.h"
#include "runtime/whole_tensors.h"

namespace phalanx::runtime {
namespace {

constexpr double kOfWholeGradient = 1e-6;

// What a layout computes.
struct Training {
  WholeTensors gradients;
  std::vector<StepOutcome> steps;
};

config::Job job_of(const std::string& yaml, const protocol::Parity& request) {
  auto job = config::load_job_text(yaml, "the job").job;
  job.train.precision = request.precision();
  return job;
}

Training train(const config::Job& job, std::int64_t steps) {
  Training training;
  std::mutex mutex;
  on_local_ranks(job, [&](LocalRank& self) {
    self.stepper.accumulate_gradients(self.stepper.next_batches());
    {
      const std::lock_guard lock(mutex);
      add_owned_gradients(self.state, self.stepper.gradients(), training.gradients);
    }
    for (std::int64_t step = 0; step < steps; ++step) {
      const auto outcome = self.stepper.run({});
      if (self.rank == 0) training.steps.push_back(outcome);
    }
  });
  return training;
}

double norm(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

}  // namespace

protocol::ParityResult parity(const protocol::Parity& request) {
  const auto job = job_of(request.job(), request), against = job_of(request.against(), request);
  const Training found = train(job, request.steps()), expected = train(against, request.steps());
  double whole = 0;
  for (const auto& [name, gradient] : expected.gradients) whole = std::hypot(whole, norm(gradient));

  protocol::ParityResult result;
  for (const auto& spec : layout::tensor_specs(job.model)) {
    const auto& gradient = expected.gradients.at(spec.name);
    auto& tensor = *result.add_gradients();
    tensor.set_name(spec.name);
    tensor.set_difference(distance(found.gradients.at(spec.name), gradient) /
                          std::max(norm(gradient), kOfWholeGradient * whole));
  }
  for (std::size_t i = 0; i < found.steps.size(); ++i) {
    auto& step = *result.add_steps();
    step.set_loss(found.steps[i].loss);
    step.set_loss_against(expected.steps[i].loss);
    step.set_grad_norm(found.steps[i].grad_norm);
    step.set_grad_norm_against(expected.steps[i].grad_norm);
  }
  return result;
}

}  // namespace phalanx::runtime
