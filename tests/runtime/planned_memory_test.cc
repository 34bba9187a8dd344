// What the planner says of a rank's state is what the runtime allocates, to the byte.
#include <gtest/gtest.h>

#include "layout/element_bytes.h"
#include "layout/registered_memory.h"
#include "layout/step_schedule.h"
#include "planner/state_memory.h"
#include "runtime/compute_weights.h"
#include "tests/parallel/ranks_as_threads.h"
#include "tests/runtime/counting_allocator.h"
#include "tests/runtime/planned_layout.h"

namespace phalanx::runtime {
namespace {

class PlannedMemory : public testing::TestWithParam<PlannedLayout> {
 protected:
  PlannedMemory() {
    job_.model = {"llama", 4, 32, 4, 2, 48, 24, 257};
    job_ = GetParam().of(job_);
  }

  using Operations = std::vector<layout::Operation>;

  // A step without a model: the parameters that come and go with its operations.
  void follow(const Operations& operations, const ModelState& state,
              ComputeWeights& weights) const {
    for (const auto& operation : operations) {
      if (operation.kind == layout::OperationKind::kGather) weights.gather(operation.chunk);
      if (operation.kind != layout::OperationKind::kFree) continue;
      await(state, weights, operation.chunk);
      weights.free(operation.chunk);
    }
  }

  // The same for gradients.
  void follow(const Operations& operations, const ModelState& state,
              parallel::GradientBuckets& gradients) const {
    gradients.begin_step();
    for (const auto& operation : operations) {
      if (layout::is_backward(operation.kind)) gradients.begin_pass(operation.chunk);
      if (operation.kind != layout::OperationKind::kReduce) continue;
      complete(state, operation.chunk, gradients);
      gradients.reduce(operation.chunk);
    }
    gradients.finish_step();
  }

  void complete(const ModelState& state, int chunk, parallel::GradientBuckets& gradients) const {
    for (const auto& part : state.parts())
      for (std::size_t t = 0; part.bucket.chunk == chunk && t < part.bucket.tensors.size(); ++t)
        for (int use = 0; use < part.bucket.uses[t]; ++use)
          gradients.complete(part.bucket.tensors[t].name);
  }

  // A block of all that a chunk computes with.
  struct Everything : parallel::Block {
    explicit Everything(const std::vector<std::string>& names) : Block("everything") {
      parallel::Parameters all;
      for (const auto& name : names) all[name] = {};
      for (const auto& name : names) own(all, name);
    }
    at::Tensor forward(const at::Tensor& x, parallel::Saved&) const override { return x; }
    at::Tensor backward_input(const at::Tensor& dy, parallel::Saved&) const override { return dy; }
    void backward_weight(parallel::Saved&) const override {}
  };
  void await(const ModelState& state, ComputeWeights& weights, int chunk) const {
    std::vector<std::string> names;
    for (const auto& part : state.parts())
      for (const auto& tensor : part.bucket.tensors)
        if (part.bucket.chunk == chunk) names.push_back(tensor.name);
    weights.await(Everything(names));
  }

  // Of gradients that lie in memory which other ranks reach, and no allocator has made.
  std::int64_t registered(const MeshGroups& groups) const {
    std::int64_t bytes = 0;
    for (const auto& [bucket, group] : groups.buckets)
      if (group && !bucket.gradients_in_runs)
        bytes += bucket.flat.elements * layout::wire_bytes(bucket, layout::element_bytes(job_));
    return bytes;
  }

  void compare(int rank, comm::Communicator& communicator) const {
    const auto each = layout::element_bytes(job_);
    const auto type = each.sums == 8 ? at::kDouble : at::kFloat;
    TensorMemory master;
    ModelState state(job_, rank);
    const auto state_bytes = master.held();

    const auto groups = make_mesh_groups(communicator, state);
    const auto schedule = layout::step_schedule(job_, state.partition(), 3);
    const auto& operations = schedule.ranks[static_cast<std::size_t>(state.coordinates().pipeline)];
    TensorMemory copies;
    ComputeWeights weights(state, groups, job_.train.precision);
    weights.gather_changes();
    for (int chunk = 0; chunk < schedule.chunks; ++chunk) await(state, weights, chunk);
    const auto lasting_copies = copies.held();

    TensorMemory gathered;
    follow(operations, state, weights);
    const auto passing_copies = gathered.peak();
    EXPECT_EQ(gathered.held(), 0);

    TensorMemory sums;
    parallel::GradientBuckets gradients(groups.buckets, layout::gradient_policy(job_.parallel),
                                        type, each.wire == 2 ? at::kBFloat16 : type);
    follow(operations, state, gradients);
    const auto own_gradients = sums.peak();

    std::vector<layout::Bucket> buckets;
    for (const auto& part : state.parts()) buckets.push_back(part.bucket);
    const auto planned =
        planner::state_memory(job_, buckets, schedule, state.coordinates().pipeline);
    EXPECT_EQ(state_bytes / 3 * 2, planned.optimizer) << "rank " << rank;
    EXPECT_EQ(state_bytes / 3 + lasting_copies + passing_copies, planned.parameters)
        << "rank " << rank;
    EXPECT_EQ(own_gradients + registered(groups), planned.gradients) << "rank " << rank;
    groups.world->barrier().wait();
  }

  config::Job job_;
};

TEST_P(PlannedMemory, IsWhatTheRuntimeAllocates) {
  on_communicators(
      std::vector<int>(static_cast<std::size_t>(job_.ranks()), 0), layout::registered_bytes(job_),
      [&](int rank, comm::Communicator& communicator) { compare(rank, communicator); });
}

INSTANTIATE_TEST_SUITE_P(
    Small, PlannedMemory,
    testing::Values(
        PlannedLayout{}, PlannedLayout{.precision = "bf16"}, PlannedLayout{.precision = "fp64"},
        PlannedLayout{.data = 3}, PlannedLayout{.data = 2, .precision = "bf16", .wire = "bf16"},
        PlannedLayout{.data = 3, .zero_stage = 1},
        PlannedLayout{.data = 2, .zero_stage = 1, .precision = "bf16", .wire = "bf16"},
        PlannedLayout{.data = 3, .zero_stage = 2},
        PlannedLayout{.data = 2, .zero_stage = 2, .precision = "bf16", .wire = "bf16"},
        PlannedLayout{.data = 2, .tensor = 2, .zero_stage = 2, .precision = "fp64"},
        PlannedLayout{
            .data = 2, .pipeline = 2, .zero_stage = 2, .schedule = "zb_v", .virtual_stages = 2},
        PlannedLayout{.data = 2,
                      .pipeline = 2,
                      .zero_stage = 2,
                      .preset = "gpt2",
                      .schedule = "interleaved_1f1b",
                      .virtual_stages = 2,
                      .recompute = {"full"}},
        PlannedLayout{.data = 2, .preset = "mixtral", .expert = 2},
        PlannedLayout{
            .data = 4, .zero_stage = 1, .precision = "bf16", .preset = "qwen_moe", .expert = 2},
        PlannedLayout{.data = 2, .tensor = 2, .zero_stage = 2, .preset = "qwen_moe"},
        PlannedLayout{.data = 4, .zero_stage = 3, .preset = "mixtral", .expert = 2},
        PlannedLayout{.data = 3, .zero_stage = 3},
        PlannedLayout{
            .data = 2, .tensor = 2, .pipeline = 2, .zero_stage = 3, .precision = "bf16"}));

}  // namespace
}  // namespace phalanx::runtime
