#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "config/job.h"
#include "runtime/step.h"

namespace phalanx::runtime {

// A tensor of the model, or its gradient, put together from all ranks.
using WholeTensors = std::map<std::string, std::vector<double>>;

// The norm of the difference over the norm of what is expected.
double relative_error(const std::vector<double>& found, const std::vector<double>& expected);

// A small job on real text, its ranks threads that share a node.
class SmallJob : public testing::Test {
 protected:
  SmallJob();
  ~SmallJob() override;

  // On every rank of the job.
  struct Rank {
    int rank;
    ModelState& state;
    const MeshGroups& groups;
    const TrainingData& data;
    Stepper& stepper;
  };
  void on_ranks(const std::function<void(Rank&)>& body);
  // Of one rank and no layout: the reference.
  config::Job alone() const;

  // The summed gradients of the first step.
  WholeTensors first_gradients();
  // Of every step, with the norms of the gradients.
  struct Curve {
    std::vector<double> losses, norms;
    double validation = 0;
    bool operator==(const Curve&) const = default;
  };
  Curve curve();
  // Both of this job, for `job`.
  WholeTensors first_gradients_of(const config::Job& job);
  Curve curve_of(const config::Job& job);

  std::filesystem::path folder_;
  config::Job job_;
};

}  // namespace phalanx::runtime
