#include "kernels/embedding.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

// Calls body(index of the token, offset of its row in the table) for those that are in this part.
template <class Body>
void for_each_row(const at::Tensor& tokens, const at::Tensor& table, VocabularyPart part,
                  const Body& body) {
  check(tokens.is_contiguous() && table.is_contiguous() && tokens.scalar_type() == at::kLong,
        "embedding: expected int64 tokens and a table [words, width]");
  const auto* token = tokens.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < tokens.numel(); ++i) {
    check(token[i] >= 0 && token[i] < part.vocab, "embedding: token beyond the vocabulary");
    const std::int64_t word = token[i] - part.first_word;
    if (word >= 0 && word < table.size(0)) body(i, word * table.size(1));
  }
}

}  // namespace

at::Tensor embedding(const at::Tensor& tokens, const at::Tensor& table, VocabularyPart part) {
  const std::int64_t width = table.size(1);
  auto shape = tokens.sizes().vec();
  shape.push_back(width);
  const bool whole = table.size(0) == part.vocab;
  auto y = whole ? at::empty(shape, table.options()) : at::zeros(shape, table.options());
  for_activation_type(table, [&]<class T>(T) {
    for_each_row(tokens, table, part, [&](std::int64_t i, std::int64_t row) {
      std::copy_n(table.const_data_ptr<T>() + row, width, y.mutable_data_ptr<T>() + i * width);
    });
  });
  return y;
}

void add_embedding_backward(const at::Tensor& dy, const at::Tensor& tokens, at::Tensor dtable,
                            VocabularyPart part) {
  const std::int64_t width = dtable.size(1);
  check(dy.is_contiguous() && dy.numel() == tokens.numel() * width,
        "embedding: dy must have the shape of y");
  for_activation_type(dy, [&]<class T>(T) {
    const T* from = dy.const_data_ptr<T>();
    auto* to = dtable.mutable_data_ptr<Wide<T>>();
    for_each_row(tokens, dtable, part, [&](std::int64_t i, std::int64_t row) {
#pragma omp simd
      for (std::int64_t c = 0; c < width; ++c) to[row + c] += wide(from[i * width + c]);
    });
  });
}

}  // namespace phalanx::kernels
