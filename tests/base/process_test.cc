#include "base/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

namespace phalanx {
namespace {

TEST(Process, HandsDownDescriptorsEnvironmentAndArguments) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  Command command;
  command.program = "/bin/sh";
  command.arguments = {"-c", "echo \"$GREETING $1\" >&5; exit 3", "sh", "there"};
  command.environment = {{"GREETING", "hello"}};
  command.descriptors = {{5, ends[1]}};
  const auto status = wait_for(start_process(command));
  EXPECT_EQ(status.code, 3);
  ::close(ends[1]);
  char text[32] = {};
  EXPECT_EQ(::read(ends[0], text, sizeof text), 12);
  EXPECT_STREQ(text, "hello there\n");
  ::close(ends[0]);
}

TEST(Process, SaysWhatKilledAChild) {
  Command command;
  command.program = "/bin/sh";
  command.arguments = {"-c", "kill -9 $$"};
  const auto status = wait_for(start_process(command));
  EXPECT_EQ(status.signal, SIGKILL);
  EXPECT_EQ(status.describe(), "signal 9 (Killed)");
}

TEST(Process, ReportsAProgramThatIsNotThere) {
  Command command;
  command.program = "/no/such/program";
  EXPECT_THROW(start_process(command), SystemError);
}

TEST(Process, NamesAProcessByItsStartTime) {
  EXPECT_NE(start_time(::getpid()), 0u);
  EXPECT_EQ(start_time(::getpid()), start_time(::getpid()));
  EXPECT_EQ(start_time(999999999), 0u);
}

TEST(File, ReplacesAFileWholeAndLeavesNoTemporary) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("file_test." + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  write_file_atomically(folder / "a", "one");
  write_file_atomically(folder / "a", "two");
  EXPECT_EQ(read_file(folder / "a"), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  EXPECT_THROW(write_file_atomically(folder / "missing" / "a", "x"), StorageError);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace phalanx
