#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "config/job.h"
#include "layout/flat_layout.h"
#include "layout/region.h"
#include "parallel/block.h"
#include "parallel/tensor_memory.h"

namespace phalanx::runtime {

// How far training has come.
struct Progress {
  std::int64_t step = 0;     // complete steps
  std::int64_t samples = 0;  // the cursor: samples used
  std::int64_t tokens = 0;   // trained on
};

// Everything that training changes: parameters and AdamW's moments, each one flat fp32 buffer with
// the tensors at layout::flat_layout, and the progress they belong to.
class ModelState {
 public:
  // All zero. `model.vocab_size` is resolved.
  explicit ModelState(const config::Model& model);

  // The parameters' initial values for `seed`; moments and progress zero.
  void initialize(std::uint64_t seed);

  const std::vector<layout::TensorSpec>& specs() const { return specs_; }
  const layout::FlatLayout& flat() const { return flat_; }
  std::span<float> parameters() { return parameters_; }
  std::span<float> first_moment() { return first_moment_; }
  std::span<float> second_moment() { return second_moment_; }

  Progress progress;

 private:
  struct AlignedFloats {
    AlignedFloats(std::int64_t count, parallel::MemoryUse use);
    at::Tensor storage;  // 64-byte aligned, as ATen allocates
    operator std::span<float>() {
      return {storage.data_ptr<float>(), static_cast<std::size_t>(storage.numel())};
    }
  };

  config::Model model_;
  std::vector<layout::TensorSpec> specs_;
  layout::FlatLayout flat_;
  AlignedFloats parameters_, first_moment_, second_moment_;
};

// The tensors of the state, and of flat gradients beside them (none when empty), as views for a
// model.
parallel::Parameters parameter_views(ModelState& state, std::span<float> gradients);

// The part of a flat buffer that holds a region: regions are runs of whole rows, so they are
// contiguous.
std::span<float> region_in(std::span<float> flat, const layout::FlatLayout& layout,
                           const std::vector<layout::TensorSpec>& specs,
                           const layout::Region& region);

}  // namespace phalanx::runtime
