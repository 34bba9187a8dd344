#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "config/job.h"
#include "layout/partition.h"
#include "parallel/tensor_memory.h"

namespace phalanx::runtime {

// How far training has come.
struct Progress {
  std::int64_t step = 0;     // complete steps
  std::int64_t samples = 0;  // the cursor: samples used
  std::int64_t tokens = 0;   // trained on
};

// What a rank keeps of a bucket: parameters and AdamW's moments of elements [begin, begin + count)
// of its flat buffer, its own slice where the bucket is sharded, else all.
struct StatePart {
  layout::Bucket bucket;
  int index = 0;  // of this rank among the replicas
  std::int64_t begin = 0;
  at::Tensor parameters, first_moment, second_moment;

  std::int64_t count() const { return parameters.numel(); }
};

// The kinds of state, as a checkpoint names them.
struct KindOfState {
  const char* name;
  at::Tensor StatePart::*tensor;
  parallel::MemoryUse use;
};
std::span<const KindOfState> kinds_of_state();

// Everything of a rank that training changes, and the progress it belongs to. In fp32, or in fp64
// where the job computes in that.
class ModelState {
 public:
  // All zero, in the memory of `device`. `job.model.vocab_size` is resolved. Throws LayoutError.
  ModelState(const config::Job& job, int rank, at::Device device = at::kCPU);

  // The parameters' initial values for the job's seed; moments and progress zero.
  void initialize();

  const layout::Partition& partition() const { return partition_; }
  at::Device device() const { return device_; }
  int rank() const { return rank_; }
  layout::Coordinates coordinates() const { return partition_.mesh.coordinates(rank_); }
  const std::vector<layout::TensorSpec>& specs() const { return specs_; }  // of the whole model
  std::vector<StatePart>& parts() { return parts_; }  // in the order of layout::buckets
  const std::vector<StatePart>& parts() const { return parts_; }

  Progress progress;

 private:
  config::Model model_;
  std::uint64_t seed_;
  layout::Partition partition_;
  int rank_;
  at::Device device_;
  std::vector<layout::TensorSpec> specs_;
  std::vector<StatePart> parts_;
};

// The tensor, or for one on a device room for what is to be copied to it, in the host's memory.
at::Tensor host_memory_for(const at::Tensor& tensor);

// A fp32 tensor in the host's memory as what it lies in.
std::span<float> floats_of(const at::Tensor& tensor);

}  // namespace phalanx::runtime
