#include "data/ngram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "data/packing.h"

namespace phalanx::data {
namespace {

constexpr double kSmoothing = 0.01;
constexpr std::int64_t kLargestVocabulary = 512;

// Counts of what follows each context: a row of `vocab_size` counts for each.
class Counts {
 public:
  Counts(std::size_t contexts, std::size_t vocab_size)
      : vocab_size_(vocab_size), counts_(contexts * vocab_size), totals_(contexts) {}

  void add(std::size_t context, Token next) { ++counts_[context * vocab_size_ + next]; }

  void sum_rows() {
    for (std::size_t row = 0; row < totals_.size(); ++row) {
      const auto begin = counts_.begin() + static_cast<std::ptrdiff_t>(row * vocab_size_);
      totals_[row] = std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(vocab_size_),
                                     std::uint64_t{0});
    }
  }

  double nats(std::size_t context, std::int64_t next) const {
    const auto seen = counts_[context * vocab_size_ + static_cast<std::size_t>(next)];
    return std::log(static_cast<double>(totals_[context]) +
                    kSmoothing * static_cast<double>(vocab_size_)) -
           std::log(static_cast<double>(seen) + kSmoothing);
  }

 private:
  std::size_t vocab_size_;
  std::vector<std::uint64_t> counts_;
  std::vector<std::uint64_t> totals_;
};

struct Models {
  explicit Models(const TokenFile& train)
      : vocab_size(static_cast<std::size_t>(train.vocab_size())),
        unigram(1, vocab_size),
        bigram(vocab_size, vocab_size),
        trigram(vocab_size * vocab_size, vocab_size) {
    constexpr std::uint64_t kBlock = 1 << 20;
    std::uint64_t seen = 0;
    std::size_t before = 0, last = 0;  // the two tokens before
    for (std::uint64_t begin = 0; begin < train.token_count(); begin += kBlock)
      for (const Token token : train.tokens(begin, std::min(kBlock, train.token_count() - begin))) {
        unigram.add(0, token);
        if (seen >= 1) bigram.add(last, token);
        if (seen >= 2) trigram.add(before * vocab_size + last, token);
        before = last;
        last = token;
        ++seen;
      }
    unigram.sum_rows();
    bigram.sum_rows();
    trigram.sum_rows();
  }

  std::size_t vocab_size;
  Counts unigram, bigram, trigram;
};

void check_files(const TokenFile& train, const TokenFile& validation, std::int64_t sequence_length,
                 std::uint64_t sequences) {
  if (train.vocab_size() > kLargestVocabulary)
    throw DataError(fmt::format("{}: expected a vocabulary of at most {} for the n-gram baseline, "
                                "found {}",
                                train.path(), kLargestVocabulary, train.vocab_size()),
                    "prepare the text with the tokenizer bytes");
  if (train.tokenizer_digest() != validation.tokenizer_digest())
    throw DataError(
        fmt::format("{}: expected tokens of the tokenizer {}, as in {}, found those of {}",
                    validation.path(), train.tokenizer_name(), train.path(),
                    validation.tokenizer_name()),
        "prepare both with one tokenizer");
  const std::uint64_t found = require_sequences(validation, sequence_length);
  if (found < sequences)
    throw DataError(fmt::format("{}: expected at least {} sequences of length {}, found {}",
                                validation.path(), sequences, sequence_length, found),
                    "ask for fewer sequences, or prepare more validation text");
}

}  // namespace

NgramBaseline ngram_baseline(const TokenFile& train, const TokenFile& validation,
                             std::int64_t sequence_length, std::uint64_t sequences) {
  check_files(train, validation, sequence_length, sequences);
  const Models models(train);
  if (sequences == 0) sequences = sequence_count(validation.token_count(), sequence_length);
  NgramBaseline sums;
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(sequence_length) + 1);
  for (std::uint64_t sequence = 0; sequence < sequences; ++sequence) {
    validation.copy_tokens(first_token(sequence, sequence_length), tokens);
    for (std::size_t i = 1; i < tokens.size(); ++i) {
      const auto last = static_cast<std::size_t>(tokens[i - 1]);
      sums.unigram += models.unigram.nats(0, tokens[i]);
      const double bigram = models.bigram.nats(last, tokens[i]);
      sums.bigram += bigram;
      sums.trigram +=
          i == 1
              ? bigram
              : models.trigram.nats(
                    static_cast<std::size_t>(tokens[i - 2]) * models.vocab_size + last, tokens[i]);
    }
  }
  sums.targets = sequences * static_cast<std::uint64_t>(sequence_length);
  const auto targets = static_cast<double>(sums.targets);
  return {sums.unigram / targets, sums.bigram / targets, sums.trigram / targets, sums.targets};
}

}  // namespace phalanx::data
