// Disks that lose, refuse or change what was written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "checkpoint/manifest.h"
#include "tests/system/run.h"

namespace phalanx::system_test {
namespace {

using ::testing::AnyOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

void flip_byte(const fs::path& path, std::uint64_t position) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(position));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(position));
  file.put(static_cast<char>(byte ^ 1));
}

fs::path shard_of(const fs::path& checkpoint) {
  return checkpoint / "shards" / "000" / "shard-00001-of-00004.h5";
}

void damage_manifest(const fs::path& checkpoint) {
  const fs::path manifest = checkpoint / "manifest.pb";
  flip_byte(manifest, fs::file_size(manifest) / 2);
}

void damage_shard(const fs::path& checkpoint) {
  flip_byte(shard_of(checkpoint),
            checkpoint::read_manifest(checkpoint).shards[1].regions[0].position);
}

// A run whose newest checkpoint is damaged goes on from the one before, to the same end.
void expect_the_next_older(void (*damage)(const fs::path& checkpoint)) {
  Workshop workshop;
  LiveRun reference(workshop, "reference");
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run");
  ASSERT_EQ(run.wait(), 0) << run.console();
  const std::string damaged = run.checkpoints().back();
  damage(damaged);
  LiveRun next(workshop, "run");
  ASSERT_EQ(next.wait(), 0) << next.console();
  EXPECT_THAT(next.console(), HasSubstr("passed over " + damaged));
  EXPECT_THAT(next.console(), HasSubstr("going on from step 30"));
  EXPECT_THAT(next.checkpoints().back().string(), HasSubstr("attempt-2"));
  expect_equal(next, reference);
  expect_nothing_left(workshop);
}

TEST(DamagedCheckpoint, WithAFlippedByteInItsManifestIsNamedAndPassedOver) {
  expect_the_next_older(damage_manifest);
}

TEST(DamagedCheckpoint, WithoutOneOfItsShardsIsNamedAndPassedOver) {
  expect_the_next_older([](const fs::path& checkpoint) { fs::remove(shard_of(checkpoint)); });
}

// Time enough to aim between two saves.
const Arguments kLong = {"--train.steps=600", "--checkpoint.every=200"};

// Ends after two checkpoints and one more, which it returns, the oldest first.
std::vector<fs::path> train_and_stop(const Workshop& workshop) {
  LiveRun run(workshop, "run", kLong);
  EXPECT_TRUE(run.await_event("checkpoint_committed", 2));
  run.signal(SIGTERM);
  EXPECT_EQ(run.wait(), 75) << run.console();
  EXPECT_EQ(run.checkpoints().size(), 3u);
  return run.checkpoints();
}

// What a rank that met the damage has said.
auto NamesDamageIn(const fs::path& checkpoint) {
  return ContainsRegex("passed over " + checkpoint.string() + ": " + shard_of(checkpoint).string() +
                       ": parameter .*: expected checksum .*, found ");
}

TEST(DamagedCheckpoint, WithAFlippedByteInAShardIsNamedAndPassedOver) {
  Workshop workshop;
  LiveRun reference(workshop, "reference", kLong);
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  const fs::path damaged = train_and_stop(workshop).back();
  damage_shard(damaged);
  LiveRun run(workshop, "run", kLong);
  ASSERT_EQ(run.wait(), 0) << run.console();
  EXPECT_THAT(run.console(), NamesDamageIn(damaged));
  const auto events = run.events("checkpoint_passed_over");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["directory"], damaged.string());
  EXPECT_EQ(run.events("generation_formed").back()["step"], 400);
  EXPECT_TRUE(run.events("worker_died").empty());
  expect_equal(run, reference);
  expect_nothing_left(workshop);
}

TEST(DamagedCheckpoint, IsPassedOverInsideAJobThatHasLostAllWorkers) {
  Workshop workshop;
  LiveRun reference(workshop, "reference", kLong);
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run", kLong);
  const auto workers = run.training_workers();
  ASSERT_EQ(workers.size(), 4u);
  ASSERT_TRUE(run.await_event("checkpoint_committed", 2));
  for (const auto& worker : workers) ::kill(worker.pid, SIGSTOP);
  const fs::path damaged = run.checkpoints().back();
  damage_shard(damaged);
  for (const auto& worker : workers) ::kill(worker.pid, SIGKILL);
  ASSERT_EQ(run.wait(), 0) << run.console();
  EXPECT_THAT(run.console(), NamesDamageIn(damaged));
  EXPECT_EQ(run.events("generation_formed").back()["step"], 200);
  EXPECT_EQ(run.events("worker_died").size(), 4u);
  expect_equal(run, reference);
  expect_no_step_lost_or_doubled(run, 1, 600);
  EXPECT_EQ(workshop.phalanx({"ckpt", "verify", damaged}).code, 0) << "it has been saved again";
  expect_nothing_left(workshop);
}

TEST(DamagedCheckpoint, OfEveryStepEndsTheNextRunWith13AndAllAreNamed) {
  Workshop workshop;
  const auto checkpoints = train_and_stop(workshop);
  damage_manifest(checkpoints[2]);
  for (const int older : {0, 1}) damage_shard(checkpoints[static_cast<std::size_t>(older)]);
  LiveRun run(workshop, "run", kLong);
  EXPECT_EQ(run.wait(), 13) << run.console();
  const std::string cause = run.summary()["first_cause"];
  EXPECT_THAT(cause, HasSubstr("passed over " + checkpoints[2].string() + ": "));
  for (const int older : {0, 1})
    EXPECT_THAT(cause, NamesDamageIn(checkpoints[static_cast<std::size_t>(older)]));
  EXPECT_TRUE(run.events("worker_died").empty());
  expect_nothing_left(workshop);

  for (const int older : {0, 1}) damage_manifest(checkpoints[static_cast<std::size_t>(older)]);
  LiveRun next(workshop, "run", kLong);
  EXPECT_EQ(next.wait(), 13) << next.console();
  for (const auto& checkpoint : checkpoints)
    EXPECT_THAT(next.console(), HasSubstr("passed over " + checkpoint.string() + ": "));
  const auto must = workshop.phalanx({"run", workshop.job(), "--resume=must"});
  EXPECT_EQ(must.code, 13);
  EXPECT_THAT(must.errors, HasSubstr("choose another `output` to begin from the start"));
}

TEST(DamagedCheckpoint, ThatTheUserHasNamedEndsTheRunWith13) {
  Workshop workshop;
  const auto checkpoints = train_and_stop(workshop);
  damage_shard(checkpoints[1]);
  Arguments arguments = kLong;
  arguments.push_back("--resume=" + checkpoints[1].string());
  LiveRun run(workshop, "run", arguments);
  EXPECT_EQ(run.wait(), 13) << run.console();
  EXPECT_THAT(run.console(), NamesDamageIn(checkpoints[1]));
  EXPECT_EQ(run.events("checkpoint_passed_over").size(), 1u);

  damage_manifest(checkpoints[0]);  // found before anything starts
  const auto refused =
      workshop.phalanx({"run", workshop.job(), "--resume=" + checkpoints[0].string()});
  EXPECT_EQ(refused.code, 13) << refused.errors;
}

// No file of the process can outgrow this: to a rank that saves, the disk is full.
void limit_files(pid_t process, rlim_t bytes) {
  rlimit limit{};
  ASSERT_EQ(::prlimit(process, RLIMIT_FSIZE, nullptr, &limit), 0);
  limit.rlim_cur = bytes;
  ASSERT_EQ(::prlimit(process, RLIMIT_FSIZE, &limit, nullptr), 0);
}

TEST(Disk, ThatIsFullDoesNotStopTraining) {
  Workshop workshop;
  LiveRun reference(workshop, "reference", kLong);
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run", kLong);
  const auto workers = run.training_workers();
  ASSERT_TRUE(run.await_event("checkpoint_committed"));
  for (const auto& worker : workers) limit_files(worker.pid, 16384);
  EXPECT_EQ(run.wait(), 7) << run.console();
  EXPECT_THAT(run.console(), HasSubstr("File too large"));
  EXPECT_THAT(run.console(), HasSubstr("the final state was not saved"));
  EXPECT_EQ(trajectory(run), trajectory(reference));
  const auto saved = run.events("checkpoint_committed");
  EXPECT_EQ(run.checkpoints().size(), saved.size()) << "the failed ones' files are removed";

  Arguments arguments = kLong;
  arguments.push_back("--resume=must");
  LiveRun next(workshop, "run", arguments);
  ASSERT_EQ(next.wait(), 0) << next.console();
  EXPECT_THAT(next.console(), HasSubstr("going on from step " + saved.back()["step"].dump()));
  expect_equal(next, reference);
}

// Nobody may make a folder in /sys/kernel, root neither.
TEST(Disk, ThatTakesNothingDoesNotStopTraining) {
  Workshop workshop;
  fs::create_directories(workshop.path() / "run");
  fs::create_symlink("/sys/kernel", workshop.path() / "run" / "checkpoints");
  LiveRun run(workshop, "run");
  EXPECT_EQ(run.wait(), 7) << run.console();
  EXPECT_THAT(run.console(),
              AnyOf(HasSubstr("Operation not permitted"), HasSubstr("Permission denied"),
                    HasSubstr("Read-only file system")));
  EXPECT_EQ(run.metrics().size(), 40u);
  EXPECT_EQ(run.events("checkpoint_failed").size(), 4u);
}

}  // namespace
}  // namespace phalanx::system_test
