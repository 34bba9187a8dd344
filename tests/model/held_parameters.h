#pragma once

#include "config/job.h"
#include "layout/element_bytes.h"
#include "layout/partition.h"
#include "parallel/block.h"
#include "tests/kernels/tensors.h"

namespace phalanx::model {

// The parameters that `rank` of a job holds, with small numbers of its own, in flat memory.
inline parallel::Parameters held_parameters(const config::Job& job, int rank) {
  const auto type = [](std::int64_t bytes) {
    return bytes == 2 ? at::kBFloat16 : bytes == 8 ? at::kDouble : at::kFloat;
  };
  const auto each = layout::element_bytes(job);
  parallel::Parameters parameters;
  for (const auto& bucket : layout::buckets(job.model, layout::partition(job), rank, 1 << 20)) {
    const bool matrices = bucket.tensors.front().shape.size() > 1;
    const auto flat = test::numbers({bucket.flat.elements}, parameters.size() + 1) * 0.1;
    const auto values = flat.to(type(matrices ? each.values : each.sums));
    const auto gradients = at::zeros({bucket.flat.elements}, type(each.sums));
    for (std::size_t i = 0; i < bucket.held.size(); ++i) {
      const auto view = [&](const at::Tensor& all) {
        return all.narrow(0, bucket.flat.offsets[i], bucket.held[i].elements())
            .view(bucket.held[i].shape);
      };
      parameters[bucket.tensors[i].name] = {view(values), view(gradients)};
    }
  }
  return parameters;
}

}  // namespace phalanx::model
