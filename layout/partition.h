#pragma once

#include <string>
#include <vector>

#include "config/job.h"
#include "layout/flat_layout.h"
#include "layout/mesh.h"
#include "layout/region.h"
#include "layout/schedule_builders.h"
#include "layout/stage_split.h"
#include "layout/tensor_spec.h"

namespace phalanx::layout {

// FLOPs of one token's forward pass through each part of the model, and through the scores of a
// layer's causal attention alone, which no weight takes part in.
PartCosts forward_flops(const config::Model& model);
double attention_flops(const config::Model& model);

// How a job's model is divided among its ranks.
struct Partition {
  Mesh mesh;
  ScheduleKind schedule = ScheduleKind::kNoPipeline;
  StageMap map;                     // of the pipeline
  std::vector<StageLayers> stages;  // by stage
  int zero_stage = 0;
  bool exchanges_heads = false;    // context ranks, for attention; else keys and values in a ring
  std::int64_t expert_chunks = 1;  // of a micro-batch, which a rank sends to their experts in turn
};

// What the job asks for. Where there is no pipeline but the model is to be held in parts (ZeRO-2
// and 3, recompute), its layers are stages of one rank. Throws LayoutError.
Partition partition(const config::Job& job);

// Tensors of which the same ranks hold the same regions, one behind the other in one flat buffer:
// the unit in which gradients are summed, optimizer state and parameters sharded and gathered, and
// state saved. All of a bucket are either matrices or vectors, and of one chunk; a tensor of two
// stages has a bucket of its own.
struct Bucket {
  int chunk = 0;                    // of the rank
  std::vector<int> replicas;        // the ranks that hold it, ascending
  std::vector<TensorSpec> tensors;  // of the whole model, in the order of the forward pass
  std::vector<Region> regions;      // the box of each that these ranks hold
  std::vector<TensorSpec> held;     // `tensors` in the shape of their regions
  std::vector<int> uses;            // chunks of this rank that compute with each
  FlatLayout flat;                  // of `held`
  // What ZeRO does (Rajbhandari et al. 2020). Vectors are so small that every replica has them.
  bool sharded = false;             // 1: each replica keeps state and updates its slice only
  bool gradients_in_runs = false;   // 2: and sums its slice of the gradients run by run
  bool parameters_in_runs = false;  // 3: and gathers parameters for a run only

  bool holds_matrices() const { return tensors.front().shape.size() > 1; }
  // Each replica owns an equal slice of the flat buffer, which is padded to that, in their order.
  std::int64_t slice() const { return flat.elements / static_cast<std::int64_t>(replicas.size()); }
};

// Bytes of a bucket: large enough that its start costs nothing beside its sum, small enough that
// most of a small model's gradients are on their way before backward ends.
inline constexpr std::int64_t kBucketBytes = 4 << 20;

// What `rank` holds, cut between tensors into buckets of about `target_bytes` of fp32, in the order
// in which a backward pass completes their gradients. Buckets with the same replicas come in the
// same order on each of these.
std::vector<Bucket> buckets(const config::Model& model, const Partition& partition, int rank,
                            std::int64_t target_bytes);

// The regions that elements [begin, end) of a bucket's flat buffer are, without padding, each with
// where it begins in the buffer; each is one run of elements there.
struct PlacedRegion {
  Region region;
  std::int64_t offset = 0;
};
std::vector<PlacedRegion> regions_between(const Bucket& bucket, std::int64_t begin,
                                          std::int64_t end);

}  // namespace phalanx::layout
