// Disks that lose, refuse or change what was written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>

#include "tests/system/run.h"

namespace phalanx::system_test {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

void flip_byte(const fs::path& path) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  const auto middle = static_cast<std::streamoff>(fs::file_size(path) / 2);
  file.seekg(middle);
  const int byte = file.get();
  file.seekp(middle);
  file.put(static_cast<char>(byte ^ 1));
}

fs::path newest_shard(const LiveRun& run) {
  return run.checkpoints().back() / "shards" / "000" / "shard-00001-of-00004.h5";
}

// A run whose newest checkpoint is damaged goes on from the one before, to the same end.
void expect_the_next_older(void (*damage)(const LiveRun&)) {
  Workshop workshop;
  LiveRun reference(workshop, "reference");
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run");
  ASSERT_EQ(run.wait(), 0) << run.console();
  const std::string damaged = run.checkpoints().back();
  damage(run);
  LiveRun next(workshop, "run");
  ASSERT_EQ(next.wait(), 0) << next.console();
  EXPECT_THAT(next.console(), HasSubstr("passed over " + damaged));
  EXPECT_THAT(next.console(), HasSubstr("going on from step 30"));
  EXPECT_THAT(next.checkpoints().back().string(), HasSubstr("attempt-2"));
  expect_equal(next, reference);
  expect_nothing_left(workshop);
}

TEST(DamagedCheckpoint, WithAFlippedByteInItsManifestIsNamedAndPassedOver) {
  expect_the_next_older(
      [](const LiveRun& run) { flip_byte(run.checkpoints().back() / "manifest.pb"); });
}

TEST(DamagedCheckpoint, WithoutOneOfItsShardsIsNamedAndPassedOver) {
  expect_the_next_older([](const LiveRun& run) { fs::remove(newest_shard(run)); });
}

TEST(DamagedCheckpoint, WithAFlippedByteInAShardIsNeverTrainedOn) {
  Workshop workshop;
  LiveRun run(workshop, "run");
  ASSERT_EQ(run.wait(), 0) << run.console();
  flip_byte(newest_shard(run));
  LiveRun next(workshop, "run", {"--train.steps=45"});
  EXPECT_EQ(next.wait(), 13) << next.console();
  EXPECT_THAT(next.console(), HasSubstr("shard-00001-of-00004.h5"));
  EXPECT_EQ(next.last_step(), 40);
  expect_nothing_left(workshop);
}

TEST(DamagedCheckpoint, OfEveryStepEndsTheNextRunWith13) {
  Workshop workshop;
  LiveRun run(workshop, "run");
  ASSERT_EQ(run.wait(), 0) << run.console();
  for (const auto& path : run.checkpoints()) flip_byte(path / "manifest.pb");
  LiveRun next(workshop, "run");
  EXPECT_EQ(next.wait(), 13) << next.console();
  EXPECT_THAT(next.console(), HasSubstr("no checkpoint loads"));
}

// A file system of its own for the checkpoints of a run.
class CheckpointDisk {
 public:
  CheckpointDisk(const Workshop& workshop, const std::string& run, const std::string& options)
      : path_(workshop.path() / run / "checkpoints") {
    fs::create_directories(path_);
    mounted_ = mount(0, options);
  }
  ~CheckpointDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  bool mount(unsigned long flags, const std::string& options) const {
    return ::mount("none", path_.c_str(), "tmpfs", flags, options.c_str()) == 0;
  }

 private:
  const fs::path path_;
  bool mounted_ = false;
};

TEST(Disk, ThatIsFullDoesNotStopTraining) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting a small file system needs root";
  Workshop workshop;
  LiveRun reference(workshop, "reference");
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  // Room for one checkpoint, even while some ranks have begun the next, but not for two.
  const CheckpointDisk disk(workshop, "run", "size=1000k");
  ASSERT_TRUE(disk.mounted());
  LiveRun run(workshop, "run");
  EXPECT_EQ(run.wait(), 7) << run.console();
  EXPECT_THAT(run.console(), HasSubstr("No space left"));
  EXPECT_THAT(run.console(), HasSubstr("the final state was not saved"));
  EXPECT_EQ(trajectory(run), trajectory(reference));
  EXPECT_EQ(run.events("checkpoint_committed").size(), 1u);

  ASSERT_TRUE(disk.mount(MS_REMOUNT, "size=100m"));
  LiveRun next(workshop, "run", {"--resume=must"});
  ASSERT_EQ(next.wait(), 0) << next.console();
  EXPECT_THAT(next.console(), HasSubstr("going on from step 10"));
  expect_equal(next, reference);
}

TEST(Disk, ThatIsReadOnlyDoesNotStopTraining) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting a file system needs root";
  Workshop workshop;
  const CheckpointDisk disk(workshop, "run", "ro");
  ASSERT_TRUE(disk.mounted());
  LiveRun run(workshop, "run");
  EXPECT_EQ(run.wait(), 7) << run.console();
  EXPECT_THAT(run.console(), HasSubstr("Read-only file system"));
  EXPECT_EQ(run.metrics().size(), 40u);
  EXPECT_EQ(run.events("checkpoint_failed").size(), 4u);
}

}  // namespace
}  // namespace phalanx::system_test
