#include <limits>
#include <vector>

#include "base/check.h"
#include "kernels/cpu/simd.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE Wide<T> largest_of(const T* logits, std::int64_t words) {
  Wide<T> largest = -std::numeric_limits<Wide<T>>::infinity();
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < words; ++i)
    largest = largest > wide(logits[i]) ? largest : wide(logits[i]);
  return largest;
}

// row[i] = exp(logits[i] - largest), summed.
template <class T>
PHALANX_INLINE Wide<T> exponentials(const T* logits, std::int64_t words, Wide<T> largest,
                                    Wide<T>* row) {
  Wide<T> sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < words; ++i) {
    row[i] = exponential(wide(logits[i]) - largest);
    sum += row[i];
  }
  return sum;
}

// logits = row / sum - one_hot(target); a target outside is another part's.
template <class T>
PHALANX_INLINE void write_gradient(T* logits, std::int64_t words, const Wide<T>* row, Wide<T> sum,
                                   std::int64_t target) {
  const Wide<T> inverse = Wide<T>(1) / sum;
#pragma omp simd
  for (std::int64_t i = 0; i < words; ++i) logits[i] = rounded<T>(row[i] * inverse);
  if (target >= 0 && target < words)
    logits[target] = rounded<T>(row[target] * inverse - Wide<T>(1));
}

// One token: its row becomes the gradient, its loss is returned. `row` has room for it.
template <class T>
PHALANX_INLINE double token_loss(T* logits, std::int64_t target, std::int64_t vocab, Wide<T>* row) {
  const Wide<T> largest = largest_of(logits, vocab);
  const double margin = static_cast<double>(largest) - static_cast<double>(wide(logits[target]));
  const Wide<T> sum = exponentials(logits, vocab, largest, row);
  write_gradient(logits, vocab, row, sum, target);
  return std::log(static_cast<double>(sum)) + margin;
}

template <class T>
PHALANX_INLINE void all_losses(CrossEntropy<T> a) {
  std::vector<Wide<T>> row(static_cast<std::size_t>(a.words));
  for (std::int64_t t = 0; t < a.tokens; ++t) {
    check(a.targets[t] >= 0 && a.targets[t] < a.words,
          "cross_entropy: target beyond the vocabulary");
    a.losses[t] = token_loss(a.logits + t * a.words, a.targets[t], a.words, row.data());
  }
}

template <class T>
PHALANX_INLINE void all_largest(LargestLogits<T> a) {
  for (std::int64_t t = 0; t < a.tokens; ++t)
    a.largest[t] = largest_of(a.logits + t * a.words, a.words);
}

template <class T>
PHALANX_INLINE void all_sums(ExponentialSums<T> a) {
  std::vector<Wide<T>> row(static_cast<std::size_t>(a.words));
  for (std::int64_t t = 0; t < a.tokens; ++t) {
    const T* logits = a.logits + t * a.words;
    const std::int64_t word = a.targets[t] - a.first_word;
    a.sums[t] = exponentials(logits, a.words, a.largest[t], row.data());
    a.sums[a.tokens + t] =
        word >= 0 && word < a.words ? wide(logits[word]) - a.largest[t] : Wide<T>(0);
  }
}

template <class T>
PHALANX_INLINE void all_losses_of_part(CrossEntropyOfPart<T> a) {
  std::vector<Wide<T>> row(static_cast<std::size_t>(a.words));
  for (std::int64_t t = 0; t < a.tokens; ++t) {
    T* logits = a.logits + t * a.words;
    exponentials(logits, a.words, a.largest[t], row.data());
    write_gradient(logits, a.words, row.data(), a.sums[t], a.targets[t] - a.first_word);
    a.losses[t] =
        std::log(static_cast<double>(a.sums[t])) - static_cast<double>(a.sums[a.tokens + t]);
  }
}

}  // namespace

template <>
PHALANX_VECTORIZED void perform<Cpu>(const CrossEntropy<float>& a) {
  all_losses(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const CrossEntropy<double>& a) {
  all_losses(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const CrossEntropy<Bf16>& a) {
  all_losses(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const LargestLogits<float>& a) {
  all_largest(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const LargestLogits<double>& a) {
  all_largest(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const LargestLogits<Bf16>& a) {
  all_largest(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const ExponentialSums<float>& a) {
  all_sums(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const ExponentialSums<double>& a) {
  all_sums(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const ExponentialSums<Bf16>& a) {
  all_sums(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const CrossEntropyOfPart<float>& a) {
  all_losses_of_part(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const CrossEntropyOfPart<double>& a) {
  all_losses_of_part(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const CrossEntropyOfPart<Bf16>& a) {
  all_losses_of_part(a);
}

}  // namespace phalanx::kernels
