#include "launcher/node/log_tail.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace phalanx::node {
namespace {

class LogTail : public ::testing::Test {
 protected:
  LogTail() { std::filesystem::remove(log_); }
  ~LogTail() override { std::filesystem::remove(log_); }
  std::filesystem::path log_ =
      std::filesystem::temp_directory_path() / ("log_tail_test." + std::to_string(::getpid()));
};

TEST_F(LogTail, GivesTheLastTwentyLines) {
  for (int i = 1; i <= 30; ++i) add_line(log_, "line " + std::to_string(i));
  const std::string lines = last_lines(log_);
  EXPECT_TRUE(lines.starts_with("line 11\nline 12\n")) << lines;
  EXPECT_TRUE(lines.ends_with("line 30")) << lines;
}

TEST_F(LogTail, GivesAllOfAShortLogAndNothingOfNone) {
  EXPECT_EQ(last_lines(log_), "");
  add_line(log_, "one");
  EXPECT_EQ(last_lines(log_), "one");
  add_line(log_, "two");
  EXPECT_EQ(last_lines(log_), "one\ntwo");
}

TEST_F(LogTail, LeavesOutWhatAPredecessorWrote) {
  add_line(log_, "before");
  const auto from = std::filesystem::file_size(log_);
  EXPECT_EQ(last_lines(log_, from), "");
  add_line(log_, "after");
  EXPECT_EQ(last_lines(log_, from), "after");
}

TEST_F(LogTail, IsNeverLongerThanFourKibibytes) {
  add_line(log_, std::string(100'000, 'x'));
  EXPECT_LE(last_lines(log_).size(), 4096u);
}

}  // namespace
}  // namespace phalanx::node
