#include "data/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "data/packing.h"
#include "data/prepare.h"
#include "tests/data/temporary_folder.h"

namespace phalanx::data {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TokenFile tokens_of(const TemporaryFolder& folder, const std::string& text) {
  prepare({.inputs = {folder.write("text.txt", text)}, .output = folder / "text.tokens"});
  return TokenFile(folder / "text.tokens");
}

TEST(Packing, CountsTheSequencesThatHaveALastTarget) {
  EXPECT_EQ(sequence_count(0, 4), 0u);
  EXPECT_EQ(sequence_count(4, 4), 0u);
  EXPECT_EQ(sequence_count(5, 4), 1u);
  EXPECT_EQ(sequence_count(8, 4), 1u);
  EXPECT_EQ(sequence_count(9, 4), 2u);
  EXPECT_EQ(sequence_count(9, 1), 8u);
}

TEST(Packing, RefusesAFileTooShortForOneSequence) {
  const TemporaryFolder folder;
  const TokenFile file = tokens_of(folder, "1234567");  // and end of document
  EXPECT_EQ(require_sequences(file, 7), 1u);
  EXPECT_THAT(message_of<DataError>([&] { require_sequences(file, 8); }),
              AllOf(HasSubstr("text.tokens"), HasSubstr("at least 9 tokens"), HasSubstr("found 8"),
                    HasSubstr("model.sequence_length")));
}

std::vector<std::int64_t> first_visible_of(const std::vector<std::uint64_t>& starts,
                                           std::uint64_t begin, std::size_t count) {
  std::vector<std::int64_t> positions(count, -1);
  first_visible(starts, begin, positions);
  return positions;
}

TEST(Packing, TellsWhereTheDocumentOfEachTokenBegins) {
  const std::vector<std::uint64_t> starts{0, 2, 3, 3, 9};  // the third has no tokens
  EXPECT_THAT(first_visible_of(starts, 0, 5), ElementsAre(0, 0, 2, 3, 3));
  EXPECT_THAT(first_visible_of(starts, 1, 4), ElementsAre(0, 1, 2, 2));
  EXPECT_THAT(first_visible_of(starts, 3, 3), ElementsAre(0, 0, 0)) << "begins with the sequence";
  EXPECT_THAT(first_visible_of(starts, 5, 4), ElementsAre(0, 0, 0, 0)) << "begins before it";
}

TEST(Share, GivesEverySampleToOneRankInOrderAndAsEvenlyAsPossible) {
  for (const std::int64_t batch : {0, 1, 2, 7, 16, 100})
    for (const std::int64_t ranks : {1, 2, 3, 5, 16, 33}) {
      std::int64_t next = 0;
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        const RankBatch part = share(batch, ranks, rank);
        EXPECT_EQ(part.first, next);
        EXPECT_GE(part.count, batch / ranks);
        EXPECT_LE(part.count, (batch + ranks - 1) / ranks);
        next += part.count;
      }
      EXPECT_EQ(next, batch) << ranks << " ranks";
    }
}

TEST(MicroBatches, CutAShareWithTheRestLast) {
  EXPECT_THAT(micro_batches({10, 7}, 3, 7),
              ElementsAre(RankBatch{10, 3}, RankBatch{13, 3}, RankBatch{16, 1}));
  EXPECT_THAT(micro_batches({10, 3}, 8, 3), ElementsAre(RankBatch{10, 3}));
  EXPECT_THAT(micro_batches({10, 0}, 8, 0), ElementsAre());
  EXPECT_THAT(micro_batches({10, 3}, 2, 5),
              ElementsAre(RankBatch{10, 2}, RankBatch{12, 1}, RankBatch{13, 0}));
}

TEST(Batches, HoldInputsAndTheTokensThatFollowThem) {
  const TemporaryFolder folder;
  const Batches batches(tokens_of(folder, "abcdefghij"), 3, 1);
  EXPECT_EQ(batches.sequence_count(), 3u);
  std::vector<std::int64_t> inputs(6), targets(6);
  batches.fill(std::vector<std::uint64_t>{2, 0}, inputs, targets);
  EXPECT_THAT(inputs, ElementsAre('g', 'h', 'i', 'a', 'b', 'c'));
  EXPECT_THAT(targets, ElementsAre('h', 'i', 'j', 'b', 'c', 'd'));
}

TEST(Batches, TellDocumentsOnceTheyHaveReadThem) {
  const TemporaryFolder folder;
  prepare({.inputs = {folder.write("a.txt", "abcd"), folder.write("b.txt", "ef")},
           .output = folder / "two.tokens"});
  Batches batches(TokenFile(folder / "two.tokens"), 3, 1);
  EXPECT_FALSE(batches.knows_documents());
  batches.read_documents();
  std::vector<std::int64_t> positions(6);
  batches.fill_first_visible(std::vector<std::uint64_t>{1, 0}, positions);
  EXPECT_THAT(positions, ElementsAre(0, 0, 2, 0, 0, 0)) << "d, its end, e; a, b, c";
}

TEST(Batches, AreTheSameForEveryNumberOfRanksAndMicroBatchSize) {
  const TemporaryFolder folder;
  constexpr std::int64_t kLength = 16, kGlobalBatch = 13;
  const Batches batches(tokens_of(folder, python_source(3, 40)), kLength, 5);
  const auto step = [&](std::uint64_t cursor, std::int64_t ranks, std::int64_t micro_batch) {
    std::vector<std::int64_t> all;
    for (std::int64_t rank = 0; rank < ranks; ++rank)
      for (const auto& part : micro_batches(share(kGlobalBatch, ranks, rank), micro_batch,
                                            share(kGlobalBatch, ranks, 0).count)) {
        const auto samples =
            batches.sampler().samples(cursor + static_cast<std::uint64_t>(part.first),
                                      static_cast<std::uint64_t>(part.count));
        std::vector<std::int64_t> inputs(static_cast<std::size_t>(part.count * kLength));
        std::vector<std::int64_t> targets(inputs.size());
        batches.fill(samples, inputs, targets);
        all.insert(all.end(), inputs.begin(), inputs.end());
      }
    return all;
  };
  const auto whole = step(100, 1, kGlobalBatch);
  EXPECT_EQ(whole.size(), static_cast<std::size_t>(kGlobalBatch * kLength));
  for (const std::int64_t ranks : {1, 2, 4, 20})
    for (const std::int64_t micro_batch : {1, 2, 5})
      EXPECT_EQ(step(100, ranks, micro_batch), whole);
}

}  // namespace
}  // namespace phalanx::data
