#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "config/job.h"
#include "planner/plan.h"

namespace phalanx::runtime {

// A layout that a plan is compared in with what the runtime does.
struct PlannedLayout {
  int data = 1, tensor = 1, pipeline = 1, zero_stage = 0;
  const char* precision = "fp32";
  const char* wire = "fp32";
  const char* preset = "llama";
  const char* schedule = "1f1b";
  int virtual_stages = 1;
  std::vector<std::string> recompute = {"none"};
  int expert = 1, context = 1;
  const char* exchange = "ring";
  int length = 24;  // of sequences
  int ffn_width = 48, vocabulary = 257;
  const char* mask = "causal";

  // `job` on as many ranks; its model of the preset, with 4 experts, 2 for a token, where there are
  // some.
  config::Job of(config::Job job) const;
  friend std::ostream& operator<<(std::ostream& out, const PlannedLayout& layout);
};

// What the plan says of a rank.
const planner::RankClass& class_of(const planner::Plan& plan, int rank);

}  // namespace phalanx::runtime
