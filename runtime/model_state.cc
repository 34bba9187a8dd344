#include "runtime/model_state.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "model/initialize.h"

namespace phalanx::runtime {
namespace {

StatePart make_part(layout::Bucket bucket, int rank, const at::TensorOptions& options) {
  StatePart part;
  part.index =
      static_cast<int>(std::ranges::lower_bound(bucket.replicas, rank) - bucket.replicas.begin());
  part.begin = bucket.sharded ? part.index * bucket.slice() : 0;
  const auto count = bucket.sharded ? bucket.slice() : bucket.flat.elements;
  for (const auto& kind : kinds_of_state()) {
    const parallel::MemoryScope scope(kind.use);
    part.*kind.tensor = at::zeros({count}, options);
  }
  part.bucket = std::move(bucket);
  return part;
}

template <class T>
void initialize_part(const StatePart& part, const config::Model& model, std::uint64_t seed) {
  const auto host = host_memory_for(part.parameters);
  const std::span<T> all(host.data_ptr<T>(), static_cast<std::size_t>(part.count()));
  for (const auto& [region, offset] :
       layout::regions_between(part.bucket, part.begin, part.begin + part.count())) {
    const auto spec =
        std::ranges::find(part.bucket.tensors, region.tensor, &layout::TensorSpec::name);
    model::initialize(*spec, model, seed, region,
                      all.subspan(static_cast<std::size_t>(offset - part.begin),
                                  static_cast<std::size_t>(region.elements())));
  }
  part.parameters.copy_(host);
}

}  // namespace

std::span<const KindOfState> kinds_of_state() {
  using parallel::MemoryUse;
  static constexpr std::array kinds{
      KindOfState{"parameter", &StatePart::parameters, MemoryUse::kParameters},
      KindOfState{"adam_m", &StatePart::first_moment, MemoryUse::kOptimizer},
      KindOfState{"adam_v", &StatePart::second_moment, MemoryUse::kOptimizer}};
  return kinds;
}

ModelState::ModelState(const config::Job& job, int rank, at::Device device)
    : model_(job.model),
      seed_(job.seed),
      partition_(layout::partition(job)),
      rank_(rank),
      device_(device),
      specs_(layout::tensor_specs(job.model)) {
  const auto options =
      at::TensorOptions(device).dtype(job.train.precision == "fp64" ? at::kDouble : at::kFloat);
  for (auto& bucket : layout::buckets(job.model, partition_, rank, layout::kBucketBytes))
    parts_.push_back(make_part(std::move(bucket), rank, options));
}

void ModelState::initialize() {
  for (auto& part : parts_) {
    if (part.parameters.scalar_type() == at::kDouble)
      initialize_part<double>(part, model_, seed_);
    else
      initialize_part<float>(part, model_, seed_);
    part.first_moment.zero_();
    part.second_moment.zero_();
  }
  progress = {};
}

at::Tensor host_memory_for(const at::Tensor& tensor) {
  return tensor.is_cpu() ? tensor : at::empty(tensor.sizes(), tensor.scalar_type());
}

std::span<float> floats_of(const at::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

}  // namespace phalanx::runtime
