#pragma once

#include "kernels/operations/element.h"

// kernels/embedding.h, on plain memory.
namespace phalanx::kernels {

// Tokens of a vocabulary, and the words [first_word, first_word + words) of it that a table has. A
// token beyond the vocabulary stops the process.
struct TokensOfPart {
  const std::int64_t* tokens;
  std::int64_t count;
  std::int64_t first_word, words, vocab;
};

// Writes the rows of y whose tokens are in the table.
template <class T>
struct EmbeddingForward {
  TokensOfPart of;
  const T* table;
  T* y;
  std::int64_t width;
};

template <class T>
struct EmbeddingBackward {
  TokensOfPart of;
  const T* dy;
  Wide<T>* dtable;
  std::int64_t width;
};

}  // namespace phalanx::kernels
