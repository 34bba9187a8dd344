#include "kernels/embedding.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {
namespace {

TokensOfPart tokens_of_part(const at::Tensor& tokens, const at::Tensor& table,
                            VocabularyPart part) {
  check(tokens.is_contiguous() && table.is_contiguous() && tokens.scalar_type() == at::kLong,
        "embedding: expected int64 tokens and a table [words, width]");
  return {tokens.const_data_ptr<std::int64_t>(), tokens.numel(), part.first_word, table.size(0),
          part.vocab};
}

}  // namespace

at::Tensor embedding(const at::Tensor& tokens, const at::Tensor& table, VocabularyPart part) {
  const TokensOfPart of = tokens_of_part(tokens, table, part);
  auto shape = tokens.sizes().vec();
  shape.push_back(table.size(1));
  const bool whole = of.words == part.vocab;
  auto y = whole ? at::empty(shape, table.options()) : at::zeros(shape, table.options());
  for_activation_type(table, [&]<class T>(T) {
    perform_on(table.device().type(), EmbeddingForward<T>{of, table.const_data_ptr<T>(),
                                                          y.mutable_data_ptr<T>(), table.size(1)});
  });
  return y;
}

void add_embedding_backward(const at::Tensor& dy, const at::Tensor& tokens, at::Tensor dtable,
                            VocabularyPart part) {
  const TokensOfPart of = tokens_of_part(tokens, dtable, part);
  const std::int64_t width = dtable.size(1);
  check(dy.is_contiguous() && dy.numel() == tokens.numel() * width,
        "embedding: dy must have the shape of y");
  for_activation_type(dy, [&]<class T>(T) {
    perform_on(dy.device().type(), EmbeddingBackward<T>{of, dy.const_data_ptr<T>(),
                                                        dtable.mutable_data_ptr<Wide<T>>(), width});
  });
}

}  // namespace phalanx::kernels
