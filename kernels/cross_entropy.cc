#include "kernels/cross_entropy.h"

#include <ATen/ops/empty.h>

#include "kernels/device.h"
#include "kernels/element_type.h"
#include "kernels/total.h"

namespace phalanx::kernels {

at::Tensor cross_entropy(at::Tensor& logits, const at::Tensor& targets) {
  const auto [tokens, words] = rows_of(logits);
  check(logits.is_contiguous() && targets.is_contiguous() && targets.numel() == tokens &&
            targets.scalar_type() == at::kLong,
        "cross_entropy: expected logits [tokens, vocab] and as many int64 targets");
  auto losses = at::empty({tokens}, logits.options().dtype(at::kDouble));
  for_activation_type(logits, [&, tokens = tokens, words = words]<class T>(T) {
    perform_on(logits.device().type(),
               CrossEntropy<T>{logits.mutable_data_ptr<T>(), targets.const_data_ptr<std::int64_t>(),
                               losses.mutable_data_ptr<double>(), tokens, words});
  });
  return total(losses);
}

at::Tensor largest_logits(const at::Tensor& logits) {
  const auto [tokens, words] = rows_of(logits);
  auto largest = at::empty({tokens}, logits.options().dtype(wide_type(logits.scalar_type())));
  for_activation_type(logits, [&, tokens = tokens, words = words]<class T>(T) {
    perform_on(logits.device().type(),
               LargestLogits<T>{logits.const_data_ptr<T>(), largest.mutable_data_ptr<Wide<T>>(),
                                tokens, words});
  });
  return largest;
}

at::Tensor exponential_sums(const at::Tensor& logits, const at::Tensor& targets,
                            std::int64_t first_word, const at::Tensor& largest) {
  const auto [tokens, words] = rows_of(logits);
  auto sums = at::empty({2, tokens}, largest.options());
  for_activation_type(logits, [&, tokens = tokens, words = words]<class T>(T) {
    perform_on(
        logits.device().type(),
        ExponentialSums<T>{logits.const_data_ptr<T>(), targets.const_data_ptr<std::int64_t>(),
                           largest.const_data_ptr<Wide<T>>(), sums.mutable_data_ptr<Wide<T>>(),
                           first_word, tokens, words});
  });
  return sums;
}

at::Tensor cross_entropy_of_part(at::Tensor& logits, const at::Tensor& targets,
                                 std::int64_t first_word, const at::Tensor& largest,
                                 const at::Tensor& sums) {
  const auto [tokens, words] = rows_of(logits);
  auto losses = at::empty({tokens}, logits.options().dtype(at::kDouble));
  for_activation_type(logits, [&, tokens = tokens, words = words]<class T>(T) {
    perform_on(
        logits.device().type(),
        CrossEntropyOfPart<T>{logits.mutable_data_ptr<T>(), targets.const_data_ptr<std::int64_t>(),
                              largest.const_data_ptr<Wide<T>>(), sums.const_data_ptr<Wide<T>>(),
                              losses.mutable_data_ptr<double>(), first_word, tokens, words});
  });
  return total(losses);
}

}  // namespace phalanx::kernels
