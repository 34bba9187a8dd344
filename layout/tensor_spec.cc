#include "layout/tensor_spec.h"

#include <functional>
#include <numeric>

#include "layout/preset_specs.h"

namespace phalanx::layout {

std::int64_t TensorSpec::elements() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::vector<TensorSpec> tensor_specs(const config::Model& model) {
  return model.preset == "gpt2" ? gpt2_specs(model) : llama_specs(model);
}

std::int64_t parameter_count(const std::vector<TensorSpec>& specs) {
  std::int64_t count = 0;
  for (const auto& spec : specs) count += spec.elements();
  return count;
}

double flops_per_token(const config::Model& model) {
  std::int64_t multiplied = 0;
  for (const auto& spec : tensor_specs(model))
    if (!spec.looked_up) multiplied += spec.elements();
  return 6.0 * static_cast<double>(multiplied) +
         12.0 * static_cast<double>(model.layers * model.width * model.sequence_length);
}

}  // namespace phalanx::layout
