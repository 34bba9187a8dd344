#include "parallel/vocabulary.h"

#include "kernels/cross_entropy.h"
#include "parallel/tensor_buffer.h"

namespace phalanx::parallel {

kernels::VocabularyPart vocabulary_part(const TensorAxis& axis, std::int64_t vocab) {
  return {vocab * axis.rank() / axis.size(), vocab};
}

at::Tensor cross_entropy(const TensorAxis& axis, at::Tensor& logits, const at::Tensor& targets,
                         std::int64_t vocab) {
  if (axis.alone()) return kernels::cross_entropy(logits, targets);
  const auto first_word = vocabulary_part(axis, vocab).first_word;
  const auto largest = kernels::largest_logits(logits);
  axis.group().all_reduce(buffer_of(largest), comm::Reduction::kMax).wait(comm::DeviceStream{});
  const auto sums = kernels::exponential_sums(logits, targets, first_word, largest);
  axis.group().all_reduce(buffer_of(sums)).wait(comm::DeviceStream{});
  return kernels::cross_entropy_of_part(logits, targets, first_word, largest, sums);
}

}  // namespace phalanx::parallel
