#pragma once

#include <cstdint>

#include "data/token_file.h"

namespace phalanx::data {

// Mean nats per target token: what a model that has learnt anything beyond counting must beat.
struct NgramBaseline {
  double unigram = 0;
  double bigram = 0;
  double trigram = 0;
  std::uint64_t targets = 0;  // tokens judged
};

// Counts tokens, pairs and triples of the whole `train` file and judges the first `sequences`
// packed sequences of `validation` (0: all), those that training validates on. p(c | context) =
// (n(context, c) + 0.01) / (n(context) + 0.01 * vocabulary). A context holds only what the model
// sees: the first target of a sequence has one token, so its trigram is its bigram. Throws
// DataError when a file is too short, the tokenizers differ, or the vocabulary is above 512 (the
// counts are dense: 8 bytes * vocabulary^3).
NgramBaseline ngram_baseline(const TokenFile& train, const TokenFile& validation,
                             std::int64_t sequence_length, std::uint64_t sequences);

}  // namespace phalanx::data
