#include "checkpoint/background_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>

#include "base/file.h"
#include "base/process.h"
#include "checkpoint/verify.h"
#include "saved_state.h"

namespace phalanx::checkpoint {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

TimePoint soon() { return Clock::now() + std::chrono::seconds(60); }

// Saves and waits for the outcome.
SaveResult save_and_wait(BackgroundWriter& writer, const std::filesystem::path& folder,
                         const OwnedState& state) {
  std::promise<SaveResult> result;
  writer.save(folder, shard_file(0, 1), small_tensors(), state.views, soon(),
              [&](const SaveResult& outcome) { result.set_value(outcome); });
  return result.get_future().get();
}

OwnedState whole_state(std::int64_t step) {
  return owned_state(owned_rows(small_specs(), 1, 0), step);
}

TEST(BackgroundWriter, SavesWhatTheStateWasWhenAskedWhateverTrainingDoesAfterwards) {
  const TemporaryFolder folder;
  OwnedState state = whole_state(3);
  const auto expected =
      write_shard(folder / "expected", shard_file(0, 1), small_tensors(), state.views);
  BackgroundWriter writer;
  std::optional<ShardInfo> saved;
  writer.save(folder / "saved", shard_file(0, 1), small_tensors(), state.views, soon(),
              [&](const SaveResult& result) { saved = result.shard; });
  for (auto& values : state.memory) std::ranges::fill(values, 0.0f);
  ASSERT_TRUE(writer.wait_idle(soon()));
  EXPECT_EQ(saved, expected);
  EXPECT_TRUE(verify_shard(folder / "saved", *saved).empty());
}

TEST(BackgroundWriter, SavesEveryOneOfManyInTurn) {
  const TemporaryFolder folder;
  std::vector<ShardInfo> saved;
  {
    BackgroundWriter writer;
    for (int step = 0; step < 20; ++step)
      writer.save(folder / std::to_string(step), shard_file(0, 1), small_tensors(),
                  whole_state(step).views, soon(), [&](const SaveResult& result) {
                    ASSERT_TRUE(result.shard) << result.error;
                    saved.push_back(*result.shard);
                  });
  }
  ASSERT_EQ(saved.size(), 20u);
  for (int step = 0; step < 20; ++step)
    EXPECT_TRUE(
        verify_shard(folder / std::to_string(step), saved[static_cast<std::size_t>(step)]).empty());
}

TEST(BackgroundWriter, SavesStatesOfAnySizeAfterAnother) {
  const TemporaryFolder folder;
  BackgroundWriter writer;
  writer.reserve(1000);
  for (const int parts : {50, 1, 3}) {
    const auto state = owned_state(owned_rows(small_specs(), parts, 0), 2);
    const auto expected =
        write_shard(folder / "expected", shard_file(0, 1), small_tensors(), state.views);
    EXPECT_EQ(save_and_wait(writer, folder / "saved", state).shard, expected);
  }
}

// Pages that this process was the first to touch.
long page_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

TEST(BackgroundWriter, TakesReservedMemoryFromTheSystemBeforeTheFirstSave) {
  ASSERT_EQ(::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0) << "so that 64 MiB are 16384 pages";
  const TemporaryFolder folder;
  write_file_atomically(folder / "occupied", "so that nothing is written");
  BackgroundWriter writer;
  const auto copy = [&](std::int64_t elements, long& faults) {
    const std::vector<float> values(static_cast<std::size_t>(elements), 1.0f);
    const std::vector<StateView> views{{"parameter", {"t", {0}, {elements}}, values}};
    const long before = page_faults();
    writer.save(folder / "occupied", "a.h5", {{"t", {elements}}}, views, soon(),
                [](const auto&) {});
    faults = page_faults() - before;
    ASSERT_TRUE(writer.wait_idle(soon()));
  };
  long faults = 0;
  copy(1, faults);  // the code's own pages
  constexpr std::int64_t kElements = 1 << 24;
  writer.reserve(kElements);
  ASSERT_TRUE(writer.wait_idle(soon()));
  copy(kElements, faults);
  EXPECT_LT(faults, 1024) << "the writer's thread, at work meanwhile, takes some hundred";
  ::prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
}

TEST(BackgroundWriter, ReportsASaveThatCannotBeginBeforeItsDeadline) {
  const TemporaryFolder folder;
  const OwnedState state = whole_state(1);
  std::promise<void> go_on;
  SaveResult second;
  {
    BackgroundWriter writer;
    writer.save(folder.path(), "first.h5", small_tensors(), state.views, soon(),
                [&](const SaveResult&) { go_on.get_future().wait(); });
    writer.save(folder.path(), "second.h5", small_tensors(), state.views, Clock::now(),
                [&](const SaveResult& result) { second = result; });
    go_on.set_value();
  }
  EXPECT_FALSE(second.shard);
  EXPECT_THAT(second.error, AllOf(HasSubstr("second.h5"), HasSubstr("still being written")));
  EXPECT_FALSE(std::filesystem::exists(folder / "second.h5"));
}

TEST(BackgroundWriter, ReportsAFileThatOutgrowsItsLimitAndSavesAgainWhenItMay) {
  const TemporaryFolder folder;
  const OwnedState state = whole_state(1);
  BackgroundWriter writer;
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{20000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto failed = save_and_wait(writer, folder.path(), state);
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_FALSE(failed.shard);
  EXPECT_THAT(failed.error, AllOf(HasSubstr(shard_file(0, 1)), HasSubstr("File too large")));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / shard_file(0, 1)));
  EXPECT_TRUE(save_and_wait(writer, folder.path(), state).shard);
}

// A file system that is full at the shard's size: a tiny one where this process may mount, else
// /dev/full, on which every write fails as on a full disk.
class FullDisk {
 public:
  FullDisk() : mounted_(::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=64k") == 0) {
    if (mounted_) return;
    std::filesystem::create_directories((folder_.path() / shard_file(0, 1)).parent_path());
    std::filesystem::create_symlink("/dev/full", folder_.path() / shard_file(0, 1));
  }
  ~FullDisk() {
    if (mounted_) ::umount(folder_.path().c_str());
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
  bool mounted_;
};

TEST(BackgroundWriter, ReportsAFullDiskAndTrainingGoesOn) {
  const FullDisk disk;
  OwnedState state = whole_state(1);
  const auto memory = state.memory;
  BackgroundWriter writer;
  testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) {
    const auto result = save_and_wait(writer, disk.path(), state);
    EXPECT_FALSE(result.shard);
    EXPECT_THAT(result.error,
                AllOf(HasSubstr(disk.path().string()),
                      AnyOf(HasSubstr("No space left on device"), HasSubstr("Invalid argument"))));
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "HDF5 printed its error stack";
  EXPECT_EQ(state.memory, memory);
  const TemporaryFolder elsewhere;
  EXPECT_TRUE(save_and_wait(writer, elsewhere.path(), state).shard);
}

TEST(BackgroundWriter, ReportsAFolderThatCannotBeMade) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "occupied", "a file");
  BackgroundWriter writer;
  const auto result = save_and_wait(writer, folder / "occupied", whole_state(1));
  EXPECT_FALSE(result.shard);
  EXPECT_THAT(result.error, AllOf(HasSubstr("occupied"), HasSubstr("Not a directory")));
}

// Root may write anywhere, so the missing right is that of a user without any.
TEST(BackgroundWriter, ReportsAMissingRight) {
  const TemporaryFolder folder;
  ::chmod(folder.path().c_str(), 0500);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::getuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
    BackgroundWriter writer;
    const auto result = save_and_wait(writer, folder.path(), whole_state(1));
    ::_exit(!result.shard && result.error.find("Permission denied") != std::string::npos ? 0 : 1);
  }
  EXPECT_EQ(wait_for(child).code, 0);
  ::chmod(folder.path().c_str(), 0700);
}

}  // namespace
}  // namespace phalanx::checkpoint
