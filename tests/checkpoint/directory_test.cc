#include "checkpoint/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "saved_state.h"

namespace phalanx::checkpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using State = CheckpointEntry::State;

std::vector<std::string> names(const std::filesystem::path& output) {
  std::vector<std::string> found;
  for (const auto& entry : list_checkpoints(output)) found.push_back(entry.path.filename());
  return found;
}

// The newest loadable checkpoint's name, and why each newer one is not.
std::pair<std::string, std::vector<std::string>> newest(const std::filesystem::path& output) {
  std::vector<std::string> reasons;
  const auto found =
      newest_loadable(list_checkpoints(output), [&](const auto& entry, const std::string& reason) {
        reasons.push_back(entry.path.filename().string() + ": " + reason);
      });
  return {found ? found->path.filename().string() : "", reasons};
}

TEST(CheckpointName, IsReadBackAndNothingElseIs) {
  const auto partial = parse_checkpoint_name(partial_path("out", {50, 2}, 7));
  ASSERT_TRUE(partial);
  EXPECT_EQ(partial->path, "out/checkpoints/step-00000050-attempt-2.partial-g7");
  EXPECT_EQ(partial->id, (CheckpointId{50, 2}));
  EXPECT_EQ(partial->generation, 7u);
  EXPECT_EQ(partial->state, State::kPartial);
  const auto complete = parse_checkpoint_name(complete_path("out", {123456789, 1}));
  ASSERT_TRUE(complete);
  EXPECT_EQ(complete->id.step, 123456789);
  EXPECT_EQ(complete->state, State::kComplete);
  for (const auto* name : {"step-50-attempt-1", "step-00000050", "step-00000050-attempt-1.old",
                           "latest", "step-00000050-attempt-1.partial-g1x"})
    EXPECT_FALSE(parse_checkpoint_name(name)) << name;
}

TEST(Checkpoints, OfAnOutputWithoutAnyAreNone) {
  const TemporaryFolder output;
  EXPECT_TRUE(list_checkpoints(output.path()).empty());
  EXPECT_EQ(newest(output.path()).first, "");
}

TEST(Checkpoints, AreListedNewestFirstAndALaterAttemptIsNewer) {
  const TemporaryFolder output;
  for (const CheckpointId id : {CheckpointId{100, 1}, {50, 1}, {70, 2}})
    save_checkpoint(output.path(), id, 1, 1);
  write_shards(partial_path(output.path(), {90, 2}, 3), {90, 2}, 3, 1);
  EXPECT_THAT(names(output.path()),
              ElementsAre("step-00000090-attempt-2.partial-g3", "step-00000070-attempt-2",
                          "step-00000100-attempt-1", "step-00000050-attempt-1"));
}

TEST(Checkpoints, ThatAreDamagedOrIncompleteArePassedOverWithTheReason) {
  const TemporaryFolder output;
  save_checkpoint(output.path(), {10, 1});
  const auto short_shard = save_checkpoint(output.path(), {20, 1});
  const auto no_shard = save_checkpoint(output.path(), {30, 1});
  const auto no_manifest = save_checkpoint(output.path(), {40, 1});
  const auto torn_manifest = save_checkpoint(output.path(), {50, 1});
  write_shards(partial_path(output.path(), {60, 1}, 1), {60, 1}, 1, 4);
  std::filesystem::resize_file(short_shard / shard_file(2, 4), 4000);
  std::filesystem::remove(no_shard / shard_file(3, 4));
  std::filesystem::remove(no_manifest / "manifest.pb");
  std::filesystem::resize_file(torn_manifest / "manifest.pb", 200);
  const auto [name, reasons] = newest(output.path());
  EXPECT_EQ(name, "step-00000010-attempt-1");
  EXPECT_THAT(
      reasons,
      ElementsAre(HasSubstr("partial-g1: is incomplete"), HasSubstr("manifest.pb: damaged"),
                  HasSubstr("has no manifest.pb"), HasSubstr("shard-00003-of-00004.h5: expected"),
                  HasSubstr("shard-00002-of-00004.h5: expected")));
  EXPECT_THAT(reasons[3], HasSubstr("found no such file"));
  EXPECT_THAT(reasons[4], HasSubstr("found 4000"));
}

TEST(Prune, KeepsTheNewestAndRemovesOlderOnes) {
  const TemporaryFolder output;
  for (int step = 1; step <= 5; ++step) save_checkpoint(output.path(), {step, 1}, 1, 1);
  EXPECT_EQ(prune(output.path(), 2, {1, 1}).size(), 3u);
  EXPECT_THAT(names(output.path()),
              ElementsAre("step-00000005-attempt-1", "step-00000004-attempt-1"));
  EXPECT_TRUE(prune(output.path(), 2, {1, 1}).empty());
}

TEST(Prune, NeverRemovesTheNewestLoadableEvenIfNewerOnesAreDamaged) {
  const TemporaryFolder output;
  for (int step = 1; step <= 3; ++step) save_checkpoint(output.path(), {step, 1}, 1, 1);
  std::filesystem::remove(complete_path(output.path(), {3, 1}) / shard_file(0, 1));
  prune(output.path(), 0, {1, 1});
  EXPECT_EQ(newest(output.path()).first, "step-00000002-attempt-1");
  EXPECT_FALSE(std::filesystem::exists(complete_path(output.path(), {1, 1})));
}

TEST(Prune, RemovesPartialOnesThatCanNeverBecomeComplete) {
  const TemporaryFolder output;
  save_checkpoint(output.path(), {20, 2}, 3, 1);
  const auto partial = [&](CheckpointId id, std::uint64_t generation) {
    write_shards(partial_path(output.path(), id, generation), id, generation, 1);
  };
  partial({30, 1}, 9);  // an earlier attempt
  partial({30, 2}, 2);  // an earlier generation
  partial({10, 2}, 3);  // overtaken
  partial({30, 2}, 3);  // being written now
  partial({30, 2}, 4);  // being written by a later generation
  partial({5, 3}, 1);   // a later attempt
  prune(output.path(), 3, {2, 3});
  EXPECT_THAT(
      names(output.path()),
      ElementsAre("step-00000005-attempt-3.partial-g1", "step-00000030-attempt-2.partial-g4",
                  "step-00000030-attempt-2.partial-g3", "step-00000020-attempt-2"));
}

TEST(Prune, FinishesARemovalThatWasInterrupted) {
  const TemporaryFolder output;
  save_checkpoint(output.path(), {2, 1}, 1, 1);
  const auto doomed = save_checkpoint(output.path(), {1, 1}, 1, 1);
  std::filesystem::rename(doomed, doomed.string() + ".deleting");
  EXPECT_THAT(newest(output.path()).second, ElementsAre());
  prune(output.path(), 3, {1, 1});
  EXPECT_THAT(names(output.path()), ElementsAre("step-00000002-attempt-1"));
}

}  // namespace
}  // namespace phalanx::checkpoint
