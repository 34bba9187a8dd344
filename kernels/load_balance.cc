#include "kernels/load_balance.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "kernels/device.h"
#include "kernels/element_type.h"
#include "kernels/total.h"

namespace phalanx::kernels {

at::Tensor expert_load(const at::Tensor& experts, const at::Tensor& like, SequenceRun run) {
  const std::int64_t tokens = experts.size(0), count = like.size(-1);
  check(tokens == 0 || run.sequence(tokens - 1) < run.sequences,
        "balance: a token beyond the sequences");
  auto load = at::zeros({run.sequences, count}, like.options());
  for_element_type(load, [&]<class T>(T) {
    perform_on(load.device().type(),
               ExpertLoad<T>{experts.const_data_ptr<std::int64_t>(), load.mutable_data_ptr<T>(),
                             tokens, experts.size(1), count, run});
  });
  return load;
}

at::Tensor balance_loss(const at::Tensor& probabilities, const at::Tensor& load, SequenceRun run) {
  const std::int64_t tokens = probabilities.size(0);
  auto losses = at::empty({tokens}, probabilities.options().dtype(at::kDouble));
  for_element_type(probabilities, [&]<class T>(T) {
    perform_on(
        probabilities.device().type(),
        BalanceLoss<T>{probabilities.const_data_ptr<T>(), load.const_data_ptr<T>(),
                       losses.mutable_data_ptr<double>(), tokens, probabilities.size(1), run});
  });
  return total(losses);
}

at::Tensor load_of_tokens(const at::Tensor& load, std::int64_t tokens, SequenceRun run) {
  auto of_tokens = at::empty({tokens, load.size(1)}, load.options());
  for_element_type(load, [&]<class T>(T) {
    perform_on(load.device().type(),
               LoadOfTokens<T>{load.const_data_ptr<T>(), of_tokens.mutable_data_ptr<T>(), tokens,
                               load.size(1), run});
  });
  return of_tokens;
}

}  // namespace phalanx::kernels
