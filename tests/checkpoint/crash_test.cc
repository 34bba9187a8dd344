#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <random>

#include "base/file_descriptor.h"
#include "base/process.h"
#include "checkpoint/verify.h"
#include "saved_state.h"

namespace phalanx::checkpoint {
namespace {

// Saves step after step as one job would, pruning as it goes, and reports each step that is
// complete as a byte.
[[noreturn]] void save_forever(const std::filesystem::path& output, std::int64_t attempt,
                               std::int64_t first_step, int report) {
  for (std::int64_t step = first_step;; ++step) {
    save_checkpoint(output, {step, attempt}, 1, 2);
    if (::write(report, "s", 1) != 1) ::_exit(1);
    prune(output, 2, {attempt, 1});
  }
}

// A job that is killed at a random moment after `complete` checkpoints. Returns how many it had
// reported.
int run_and_kill(const std::filesystem::path& output, std::int64_t attempt, std::int64_t first_step,
                 int complete, std::mt19937& random) {
  int ends[2];
  if (::pipe(ends) != 0) ::abort();
  const FileDescriptor read_end(ends[0]);
  FileDescriptor write_end(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) save_forever(output, attempt, first_step, write_end.get());
  write_end.reset();
  int reported = 0;
  for (char byte; reported < complete && ::read(read_end.get(), &byte, 1) == 1;) ++reported;
  random.discard(random() % 8'000'000);  // a random time
  ::kill(child, SIGKILL);
  EXPECT_EQ(wait_for(child).signal, SIGKILL);
  for (char byte; ::read(read_end.get(), &byte, 1) == 1;) ++reported;
  return reported;
}

TEST(Crash, AtAnyMomentLeavesTheNewestReportedCheckpointWholeAndLoadable) {
  const TemporaryFolder output;
  std::mt19937 random(7);
  std::int64_t last = 0;
  for (std::int64_t attempt = 1; attempt <= 30; ++attempt) {
    const int complete = static_cast<int>(random() % 3);
    const int reported = run_and_kill(output.path(), attempt, last + 1, complete, random);
    const auto newest =
        newest_loadable(list_checkpoints(output.path()), [](const auto& entry, const auto& reason) {
          EXPECT_NE(entry.state, CheckpointEntry::State::kComplete) << entry.path << ": " << reason;
        });
    if (last + reported == 0) continue;
    ASSERT_TRUE(newest) << "attempt " << attempt;
    EXPECT_GE(newest->manifest.step, last + reported);
    EXPECT_TRUE(verify(newest->path, newest->manifest, 1).empty());
    expect_state(newest->path, 3);
    last = newest->manifest.step;
  }
  EXPECT_GT(last, 0);
}

}  // namespace
}  // namespace phalanx::checkpoint
