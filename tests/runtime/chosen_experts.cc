#include "tests/runtime/chosen_experts.h"

namespace phalanx::runtime {

void choose_experts(const Rank& rank, const std::vector<std::int64_t>& experts) {
  for (auto& part : rank.state.parts())
    for (std::size_t t = 0; t < part.bucket.tensors.size(); ++t) {
      const auto& tensor = part.bucket.tensors[t];
      if (!tensor.counts_load) continue;
      const auto bias = part.parameters.narrow(0, part.bucket.flat.offsets[t], tensor.elements());
      bias.zero_();
      for (const auto expert : experts) bias[expert] = 2;  // no probability is as much
    }
}

}  // namespace phalanx::runtime
