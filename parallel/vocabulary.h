#pragma once

#include "kernels/embedding.h"
#include "parallel/tensor_axis.h"

namespace phalanx::parallel {

// The words whose rows a rank of the tensor axis holds of an embedding or a head, as
// layout::buckets divides them; any number of words.
kernels::VocabularyPart vocabulary_part(const TensorAxis& axis, std::int64_t vocab);

// The sum of the tokens' losses, in nats, the same on all ranks of the axis. `logits` [..., words]
// are those of this rank's words and become their own gradient; whole rows never exist (Shoeybi et
// al. 2019). `targets` int64, one for each row. Throws CommError.
at::Tensor cross_entropy(const TensorAxis& axis, at::Tensor& logits, const at::Tensor& targets,
                         std::int64_t vocab);

}  // namespace phalanx::parallel
