#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phalanx {
namespace {

TEST(Log, GoesToStandardErrorAndLeavesStandardOutputToResults) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  log::warn("rank {} is slow", 3);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("rank 3 is slow"));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace phalanx
