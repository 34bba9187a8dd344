#include <algorithm>

#include "base/check.h"
#include "kernels/cpu/simd.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

// Calls body(index of the token, its row in the table) for those that are in this part.
template <class Body>
void for_each_row(const TokensOfPart& of, const Body& body) {
  for (std::int64_t i = 0; i < of.count; ++i) {
    check(of.tokens[i] >= 0 && of.tokens[i] < of.vocab, "embedding: token beyond the vocabulary");
    const std::int64_t word = of.tokens[i] - of.first_word;
    if (word >= 0 && word < of.words) body(i, word);
  }
}

template <class T>
void take(const EmbeddingForward<T>& a) {
  for_each_row(a.of, [&](std::int64_t i, std::int64_t word) {
    std::copy_n(a.table + word * a.width, a.width, a.y + i * a.width);
  });
}

template <class T>
void add(const EmbeddingBackward<T>& a) {
  for_each_row(a.of, [&](std::int64_t i, std::int64_t word) {
    const T* from = a.dy + i * a.width;
    Wide<T>* to = a.dtable + word * a.width;
#pragma omp simd
    for (std::int64_t c = 0; c < a.width; ++c) to[c] += wide(from[c]);
  });
}

}  // namespace

template <>
void perform<Cpu>(const EmbeddingForward<float>& a) {
  take(a);
}
template <>
void perform<Cpu>(const EmbeddingForward<double>& a) {
  take(a);
}
template <>
void perform<Cpu>(const EmbeddingForward<Bf16>& a) {
  take(a);
}
template <>
void perform<Cpu>(const EmbeddingBackward<float>& a) {
  add(a);
}
template <>
void perform<Cpu>(const EmbeddingBackward<double>& a) {
  add(a);
}
template <>
void perform<Cpu>(const EmbeddingBackward<Bf16>& a) {
  add(a);
}

}  // namespace phalanx::kernels
