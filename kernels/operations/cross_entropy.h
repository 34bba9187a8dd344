#pragma once

#include "kernels/operations/element.h"

// kernels/cross_entropy.h, on plain memory: logits [tokens, words], a target and a loss for each
// token.
namespace phalanx::kernels {

// A target beyond the words stops the process.
template <class T>
struct CrossEntropy {
  T* logits;
  const std::int64_t* targets;
  double* losses;
  std::int64_t tokens, words;
};

template <class T>
struct LargestLogits {
  const T* logits;
  Wide<T>* largest;
  std::int64_t tokens, words;
};

template <class T>
struct ExponentialSums {
  const T* logits;
  const std::int64_t* targets;
  const Wide<T>* largest;
  Wide<T>* sums;  // [2, tokens]
  std::int64_t first_word, tokens, words;
};

template <class T>
struct CrossEntropyOfPart {
  T* logits;
  const std::int64_t* targets;
  const Wide<T>*largest, *sums;
  double* losses;
  std::int64_t first_word, tokens, words;
};

}  // namespace phalanx::kernels
