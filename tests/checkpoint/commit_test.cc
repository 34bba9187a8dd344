#include "checkpoint/commit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "checkpoint/coverage.h"
#include "checkpoint/error.h"
#include "saved_state.h"

namespace phalanx::checkpoint {
namespace {

using testing::AllOf;
using testing::HasSubstr;

ShardInfo shard(const std::string& file, std::vector<layout::Region> regions) {
  ShardInfo info{file};
  for (auto& region : regions) info.regions.push_back({"parameter", std::move(region)});
  return info;
}

const std::vector<GlobalTensor> kOneTensor{{"t", {6, 4}}};
const std::vector<std::string> kOneKind{"parameter"};

TEST(Coverage, IsWholeWhenRowsOrBoxesTileATensor) {
  const std::vector<ShardInfo> rows{shard("a", {{"t", {0, 0}, {2, 4}}}),
                                    shard("b", {{"t", {2, 0}, {4, 4}}})};
  EXPECT_EQ(coverage_problem(kOneTensor, kOneKind, rows), "");
  const std::vector<ShardInfo> boxes{shard("a", {{"t", {0, 0}, {3, 2}}, {"t", {3, 2}, {3, 2}}}),
                                     shard("b", {{"t", {3, 0}, {3, 2}}, {"t", {0, 2}, {3, 2}}})};
  EXPECT_EQ(coverage_problem(kOneTensor, kOneKind, boxes), "");
  const std::vector<GlobalTensor> scalar{{"s", {}}};
  const std::vector<ShardInfo> one{shard("a", {{"s", {}, {}}})};
  EXPECT_EQ(coverage_problem(scalar, kOneKind, one), "");
}

TEST(Coverage, NamesAHoleByItsBox) {
  const std::vector<ShardInfo> shards{
      shard("a", {{"t", {0, 0}, {3, 4}}, {"t", {3, 0}, {2, 3}}, {"t", {5, 0}, {1, 4}}})};
  EXPECT_EQ(coverage_problem(kOneTensor, kOneKind, shards),
            "parameter t [3:5, 3:4] is in no shard (22 of the tensor's 24 elements are)");
}

TEST(Coverage, NamesAnOverlapByItsBoxAndBothFiles) {
  const std::vector<ShardInfo> shards{shard("a", {{"t", {0, 0}, {4, 3}}}),
                                      shard("b", {{"t", {4, 0}, {2, 4}}, {"t", {2, 2}, {2, 2}}})};
  EXPECT_EQ(coverage_problem(kOneTensor, kOneKind, shards),
            "parameter t [2:4, 2:3] is both in a and in b");
}

TEST(Coverage, NamesRegionsOutsideOfTheirTensorAndUnknownOnes) {
  const std::vector<ShardInfo> outside{shard("a", {{"t", {4, 0}, {3, 4}}})};
  EXPECT_THAT(
      coverage_problem(kOneTensor, kOneKind, outside),
      HasSubstr("a: parameter t [4:7, 0:4] is outside of the tensor, whose shape is [6, 4]"));
  const std::vector<ShardInfo> unknown{shard("a", {{"u", {4, 0}, {3, 4}}})};
  EXPECT_THAT(coverage_problem(kOneTensor, kOneKind, unknown),
              HasSubstr("a: parameter u [4:7, 0:4] is of no tensor"));
}

TEST(Commit, RefusesACheckpointWithAHoleAndLeavesItIncomplete) {
  const TemporaryFolder output;
  const auto partial = partial_path(output.path(), {5, 1}, 1);
  auto manifest = write_shards(partial, {5, 1}, 1, 4);
  manifest.shards.erase(manifest.shards.begin() + 2);
  try {
    commit(partial, manifest);
    FAIL() << "nothing was thrown";
  } catch (const CheckpointError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr(partial.string()), HasSubstr("is in no shard")));
  }
  EXPECT_FALSE(newest_loadable(list_checkpoints(output.path()), [](const auto&, const auto&) {}));
}

TEST(Commit, RefusesAShardThatIsNotThere) {
  const TemporaryFolder output;
  const auto partial = partial_path(output.path(), {5, 1}, 1);
  const auto manifest = write_shards(partial, {5, 1}, 1, 2);
  std::filesystem::remove(partial / shard_file(1, 2));
  EXPECT_THROW(commit(partial, manifest), CheckpointError);
  EXPECT_FALSE(std::filesystem::exists(complete_path(output.path(), {5, 1})));
}

TEST(Commit, MayBeRepeated) {
  const TemporaryFolder output;
  const auto partial = partial_path(output.path(), {5, 1}, 1);
  const auto manifest = write_shards(partial, {5, 1}, 1, 2);
  const auto complete = commit(partial, manifest);
  EXPECT_EQ(complete, complete_path(output.path(), {5, 1}));
  EXPECT_EQ(commit(partial, manifest), complete);
  EXPECT_EQ(read_manifest(complete), manifest);
}

TEST(Commit, ReplacesWhatAnEarlierGenerationCompletedWhichMayBeDamaged) {
  const TemporaryFolder output;
  const auto complete = save_checkpoint(output.path(), {5, 1}, 1);
  flip_bits(complete / shard_file(1, 4), 5000, 1);
  EXPECT_EQ(save_checkpoint(output.path(), {5, 1}, 2), complete);
  EXPECT_EQ(read_manifest(complete).generation, 2u);
  EXPECT_EQ(list_checkpoints(output.path()).size(), 1u);
  expect_state(complete, 3);
}

TEST(Commit, ThatReplacedOneMayBeRepeatedAfterACrashBeforeTheOldOneWasRemoved) {
  const TemporaryFolder output;
  const auto old = output / "old", partial = partial_path(output.path(), {5, 1}, 2);
  std::filesystem::rename(save_checkpoint(output.path(), {5, 1}, 1), old);
  const auto complete = save_checkpoint(output.path(), {5, 1}, 2);
  std::filesystem::rename(old, partial);
  EXPECT_EQ(commit(partial, read_manifest(complete)), complete);
  EXPECT_EQ(read_manifest(complete).generation, 2u);
  EXPECT_EQ(list_checkpoints(output.path()).size(), 1u);
  expect_state(complete, 3);
}

TEST(Commit, RefusesAManifestOfAnotherFolder) {
  const TemporaryFolder output;
  const auto partial = partial_path(output.path(), {5, 1}, 1);
  auto manifest = write_shards(partial, {5, 1}, 1, 2);
  manifest.generation = 2;
  EXPECT_THROW(commit(partial, manifest), CheckpointError);
}

}  // namespace
}  // namespace phalanx::checkpoint
