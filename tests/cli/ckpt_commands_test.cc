#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/error.h"
#include "launcher/error.h"
#include "tests/checkpoint/saved_state.h"
#include "tests/cli/command_output.h"

namespace phalanx::checkpoint {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "ckpt");
  return launcher::output_of(arguments);
}

TEST(CkptCommands, ListTheCheckpointsOfARunWithTheirState) {
  const TemporaryFolder output;
  save_checkpoint(output.path(), {5, 1});
  std::filesystem::remove(save_checkpoint(output.path(), {6, 1}) / shard_file(0, 4));
  write_shards(partial_path(output.path(), {7, 1}, 2), {7, 1}, 2, 1);
  const auto rows = json::parse(run({"ls", output.path(), "--json"}));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["state"], "incomplete");
  EXPECT_EQ(rows[1]["state"], "damaged");
  EXPECT_THAT(rows[1]["reason"].get<std::string>(), HasSubstr("found no such file"));
  EXPECT_EQ(rows[2]["state"], "complete");
  EXPECT_EQ(rows[2]["shards"], 4);
  EXPECT_THAT(run({"ls", output.path()}), HasSubstr("step-00000005-attempt-1"));
}

TEST(CkptCommands, InspectShowsWhatTheNewestCheckpointOfARunHolds) {
  const TemporaryFolder output;
  save_checkpoint(output.path(), {4, 1});
  const auto checkpoint = save_checkpoint(output.path(), {5, 1});
  const auto shown = json::parse(run({"inspect", output.path(), "--json"}));
  EXPECT_EQ(shown["path"], checkpoint.string());
  EXPECT_EQ(shown["cursor"], 80);
  EXPECT_EQ(shown["job"], "name: small\nseed: 1\n");
  EXPECT_EQ(shown["tensors"][0], json({{"name", "embedding.weight"}, {"shape", {101, 24}}}));
  EXPECT_EQ(shown["shards"].size(), 4u);
  EXPECT_THAT(run({"inspect", checkpoint}), HasSubstr("embedding.weight  [101, 24]"));
}

TEST(CkptCommands, VerifyPassesAWholeCheckpointAndNamesTheDamageOfAnother) {
  const TemporaryFolder output;
  const auto checkpoint = save_checkpoint(output.path(), {5, 1});
  EXPECT_THAT(run({"verify", checkpoint}), HasSubstr("all 4 shards"));
  std::filesystem::resize_file(checkpoint / shard_file(2, 4), 3000);
  try {
    run({"verify", output.path()});
    FAIL() << "nothing was thrown";
  } catch (const DamagedError& error) {
    EXPECT_THAT(error.what(), HasSubstr(shard_file(2, 4) + ": file: expected "));
    EXPECT_THAT(error.what(), HasSubstr("found 3000 bytes"));
  }
}

TEST(CkptCommands, OfARunWithoutACheckpointSaySo) {
  const TemporaryFolder output;
  std::filesystem::create_directory(output / "checkpoints");
  EXPECT_THAT(run({"ls", output.path()}), HasSubstr("no checkpoints yet"));
  EXPECT_EQ(json::parse(run({"ls", output.path(), "--json"})), json::array());
  for (const auto* command : {"inspect", "verify"})
    EXPECT_THAT(launcher::error_of<CheckpointError>({"ckpt", command, output.path()}),
                HasSubstr("found none | a run saves"));
}

TEST(CkptCommands, RefuseAFolderThatIsNoRunAndOneThatIsNotThere) {
  const TemporaryFolder output;
  for (const auto* command : {"ls", "inspect", "verify"}) {
    EXPECT_THAT(launcher::error_of<launcher::RefusedError>({"ckpt", command, output.path()}),
                HasSubstr("found neither a job of a run nor checkpoints/ in it | name the folder"));
    EXPECT_THAT(launcher::error_of<launcher::RefusedError>({"ckpt", command, output / "missing"}),
                HasSubstr("found nothing | name the folder"));
  }
}

}  // namespace
}  // namespace phalanx::checkpoint
