#include "kernels/load_balance.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "kernels/cpu/dispatch.h"

namespace phalanx::kernels {

at::Tensor expert_load(const at::Tensor& experts, const at::Tensor& like, SequenceRun run) {
  const std::int64_t tokens = experts.size(0), chosen = experts.size(1), count = like.size(-1);
  auto load = at::zeros({run.sequences, count}, like.options());
  for_element_type(load, [&]<class T>(T) {
    const auto* expert = experts.const_data_ptr<std::int64_t>();
    T* loads = load.mutable_data_ptr<T>();
    for (std::int64_t c = 0; c < tokens * chosen; ++c) {
      const std::int64_t sequence = run.sequence(c / chosen);
      check(sequence < run.sequences, "balance: a token beyond the sequences");
      loads[sequence * count + expert[c]] += 1;
    }
  });
  return load;
}

double balance_loss(const at::Tensor& probabilities, const at::Tensor& load, SequenceRun run) {
  const std::int64_t tokens = probabilities.size(0), count = probabilities.size(1);
  double loss = 0;
  for_element_type(probabilities, [&]<class T>(T) {
    const T *p = probabilities.const_data_ptr<T>(), *loads = load.const_data_ptr<T>();
    for (std::int64_t t = 0; t < tokens; ++t)
      for (std::int64_t e = 0; e < count; ++e)
        loss += double{p[t * count + e]} * double{loads[run.sequence(t) * count + e]};
  });
  return loss;
}

at::Tensor load_of_tokens(const at::Tensor& load, std::int64_t tokens, SequenceRun run) {
  const std::int64_t count = load.size(1);
  auto of_tokens = at::empty({tokens, count}, load.options());
  for_element_type(load, [&]<class T>(T) {
    for (std::int64_t t = 0; t < tokens; ++t)
      std::copy_n(load.const_data_ptr<T>() + run.sequence(t) * count, count,
                  of_tokens.mutable_data_ptr<T>() + t * count);
  });
  return of_tokens;
}

}  // namespace phalanx::kernels
