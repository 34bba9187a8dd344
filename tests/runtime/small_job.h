#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "config/job.h"
#include "runtime/step.h"
#include "runtime/whole_tensors.h"

namespace phalanx::runtime {

// The norm of the difference over the norm of what is expected; of zeros, 0 if both are.
double relative_error(const std::vector<double>& found, const std::vector<double>& expected);

// Of every step, with the norms of the gradients.
struct Curve {
  std::vector<double> losses, norms;
  double validation = 0;
  bool operator==(const Curve&) const = default;
};

// What a job comes to: the summed gradients of its first step, and its curve.
struct Outcome {
  WholeTensors gradients;
  Curve curve;
  bool operator==(const Outcome&) const = default;
};

// A rank of a job.
struct Rank {
  int rank;
  ModelState& state;
  const MeshGroups& groups;
  const TrainingData& data;
  Stepper& stepper;
};

// A small job, its ranks threads that share a node. Its documents use all of the vocabulary.
class SmallJob : public testing::Test {
 protected:
  SmallJob();
  ~SmallJob() override;

  // On every rank of the job.
  void on_ranks(const std::function<void(Rank&)>& body);
  // What a test does to a job behind its back; nothing by itself. Called by the threads of all
  // ranks.
  struct Interference {
    std::function<void(int rank, config::Job&)> job;            // that it computes by
    std::function<void(int rank, MeshGroups&)> groups;          // before they are used
    std::function<void(Rank&, NumberedMicroBatches&)> batches;  // those of first_gradients
    std::function<void(Rank&, int step)> step;                  // before each, from 0
  };
  Interference interference_;
  // Of one rank and no layout: the reference.
  config::Job alone() const;

  // The summed gradients of the first step.
  WholeTensors first_gradients();
  Curve curve();
  Outcome outcome();  // both
  // All of this job, for `job`.
  WholeTensors first_gradients_of(const config::Job& job);
  Curve curve_of(const config::Job& job);
  Outcome outcome_of(const config::Job& job);

  std::filesystem::path folder_;
  config::Job job_;
  at::Device device_ = at::kCPU;  // that the ranks compute on; else pretend::kDevice

 private:
  void add_first_gradients(Rank& self, WholeTensors& whole);
  Curve curve_on(Rank& self);

  std::mutex mutex_;  // of what the ranks put together
};

}  // namespace phalanx::runtime
