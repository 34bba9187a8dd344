#include "data/ngram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

#include "data/prepare.h"
#include "tests/data/temporary_folder.h"
#include "tests/data/wide_tokenizer.h"

namespace phalanx::data {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TokenFile tokens_of(const TemporaryFolder& folder, const std::string& name,
                    const std::string& text) {
  prepare({.inputs = {folder.write(name + ".txt", text)}, .output = folder / name});
  return TokenFile(folder / name);
}

// The definition, slowly: a map from a context and what follows to how often.
std::array<double, 3> slow_baseline(const TokenFile& train, const TokenFile& validation,
                                    std::size_t length, std::size_t sequences) {
  using Key = std::vector<Token>;
  std::map<Key, double> counts;
  const auto seen = train.tokens(0, train.token_count());
  for (std::size_t i = 0; i < seen.size(); ++i)
    for (std::size_t context = 0; context <= std::min<std::size_t>(i, 2); ++context) {
      const auto end = seen.begin() + static_cast<std::ptrdiff_t>(i);
      Key key(end - static_cast<std::ptrdiff_t>(context), end);
      key.push_back(1000 + static_cast<Token>(context));  // how often the context has a successor
      ++counts[key];
      key.back() = seen[i];
      ++counts[key];
    }
  std::array<double, 3> nats{};
  for (std::size_t sequence = 0; sequence < sequences; ++sequence) {
    const auto tokens = validation.tokens(sequence * length, length + 1);
    for (std::size_t i = 1; i <= length; ++i)
      for (std::size_t order = 0; order < 3; ++order) {
        const auto end = tokens.begin() + static_cast<std::ptrdiff_t>(i);
        const std::size_t context = std::min(order, i);
        Key key(end - static_cast<std::ptrdiff_t>(context), end);
        key.push_back(1000 + static_cast<Token>(context));
        const double total = counts[key];
        key.back() = tokens[i];
        nats[order] -= std::log((counts[key] + 0.01) / (total + 0.01 * 257));
      }
  }
  for (double& value : nats) value /= static_cast<double>(sequences * length);
  return nats;
}

TEST(NgramBaseline, IsWhatItsDefinitionSays) {
  const TemporaryFolder folder;
  const TokenFile train = tokens_of(folder, "train", python_source(1, 80));
  const TokenFile validation = tokens_of(folder, "validation", python_source(2, 30));
  const auto expected = slow_baseline(train, validation, 32, 10);
  const NgramBaseline found = ngram_baseline(train, validation, 32, 10);
  EXPECT_NEAR(found.unigram, expected[0], 1e-12);
  EXPECT_NEAR(found.bigram, expected[1], 1e-12);
  EXPECT_NEAR(found.trigram, expected[2], 1e-12);
  EXPECT_EQ(found.targets, 320u);
  EXPECT_LT(found.trigram, found.bigram);
  EXPECT_LT(found.bigram, found.unigram);
}

TEST(NgramBaseline, KnowsATextThatRepeatsItself) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "abc";
  const TokenFile train = tokens_of(folder, "train", text);
  const TokenFile validation = tokens_of(folder, "validation", text.substr(0, 3000));
  const NgramBaseline found = ngram_baseline(train, validation, 100, 0);
  EXPECT_EQ(found.targets, 3000u);
  EXPECT_NEAR(found.unigram, std::log(3.0), 0.01);
  EXPECT_LT(found.bigram, 0.01);
}

TEST(NgramBaseline, RefusesMoreSequencesThanThereAre) {
  const TemporaryFolder folder;
  const TokenFile file = tokens_of(folder, "train", "a short text");
  EXPECT_THAT(message_of<DataError>([&] { ngram_baseline(file, file, 4, 4); }),
              AllOf(HasSubstr("train"), HasSubstr("at least 4 sequences"), HasSubstr("found 3")));
  EXPECT_THROW(ngram_baseline(file, file, 100, 0), DataError);
}

TEST(NgramBaseline, RefusesALargeVocabularyAndTwoTokenizers) {
  const TemporaryFolder folder;
  const TokenFile bytes = tokens_of(folder, "train", "a short text");
  write_tokens(folder / "wide", WideTokenizer(), {"a short text"});
  const TokenFile wide(folder / "wide");
  EXPECT_THAT(message_of<DataError>([&] { ngram_baseline(wide, wide, 4, 0); }),
              HasSubstr("a vocabulary of at most 512 for the n-gram baseline, found 80000"));
  EXPECT_THAT(message_of<DataError>([&] { ngram_baseline(bytes, wide, 4, 0); }),
              AllOf(HasSubstr("tokenizer bytes"), HasSubstr("found those of wide")));
}

}  // namespace
}  // namespace phalanx::data
