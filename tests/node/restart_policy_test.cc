#include "launcher/node/restart_policy.h"

#include <gtest/gtest.h>

namespace phalanx::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kBegin = TimePoint(seconds(1000));

TEST(RestartPolicy, StartsAtOnceAndWaitsLongerAfterEveryFurtherDeath) {
  RestartPolicy policy(0, seconds(60));
  EXPECT_EQ(policy.after_death(kBegin), kBegin);
  EXPECT_EQ(policy.after_death(kBegin), kBegin + milliseconds(100));
  EXPECT_EQ(policy.after_death(kBegin), kBegin + milliseconds(200));
  for (int i = 0; i < 40; ++i) policy.after_death(kBegin);
  EXPECT_EQ(policy.after_death(kBegin), kBegin + seconds(5));
}

TEST(RestartPolicy, ForgetsDeathsOfLongAgo) {
  RestartPolicy policy(3, seconds(10));
  for (int i = 0; i < 20; ++i) {
    const TimePoint now = kBegin + seconds(11 * i);
    EXPECT_EQ(policy.after_death(now), now);
  }
}

TEST(RestartPolicy, GivesUpAfterDeathsInARow) {
  RestartPolicy policy(3, seconds(10));
  EXPECT_TRUE(policy.after_death(kBegin));
  EXPECT_TRUE(policy.after_death(kBegin + seconds(1)));
  policy.forget_deaths();
  EXPECT_TRUE(policy.after_death(kBegin + seconds(2)));
  EXPECT_TRUE(policy.after_death(kBegin + seconds(3)));
  EXPECT_FALSE(policy.after_death(kBegin + seconds(4)));
}

}  // namespace
}  // namespace phalanx::node
