#pragma once

#include <cstdint>
#include <vector>

#include "config/job.h"
#include "layout/partition.h"
#include "layout/schedule.h"
#include "planner/step_shape.h"

namespace phalanx::planner {

// Bytes that a rank sends in a step, by axis, as a ring sends them, which is the least there is
// (Patarasuk & Yuan 2009): of a gather or scatter of n bytes over r ranks n (r-1)/r, of a sum twice
// that. Exact for a rank with the most sequences, but for experts, whose load no plan knows;
// without validation and the few numbers of the commit point.
struct Traffic {
  std::int64_t tensor = 0;   // tokens' vectors into and out of the matrices; the loss
  std::int64_t context = 0;  // keys and values, or heads for sequence; their gradients
  // Tokens' vectors to their experts and back, and the gradients: where all experts get equally
  // many, and of a rank whose experts the tokens of all choose as far as it has enough.
  std::int64_t expert = 0, expert_most = 0;
  std::int64_t pipeline = 0;  // activations and gradients to neighbouring stages
  // Sums of gradients and gathers of parameters, among all that hold the same: ranks of data and
  // context, for vectors those of tensor too, for a tied embedding both ends of the pipeline.
  std::int64_t data = 0;

  std::int64_t most() const { return total() - expert + expert_most; }
  std::int64_t total() const { return tensor + context + expert + pipeline + data; }
};

// Of the rank that holds `buckets` and has list `pipeline_rank` of the step's schedule.
Traffic traffic(const config::Job& job, const layout::Partition& partition,
                const std::vector<layout::Bucket>& buckets, const layout::Schedule& schedule,
                int pipeline_rank, const StepShape& shape);

}  // namespace phalanx::planner
