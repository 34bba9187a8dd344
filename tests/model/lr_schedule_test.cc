#include "model/lr_schedule.h"

#include <gtest/gtest.h>

namespace phalanx::model {
namespace {

config::Train two_hundred_steps() {
  config::Train train;
  train.steps = 210;
  train.optimizer.lr = 3e-4;
  train.lr_schedule.warmup = 10;
  train.lr_schedule.min_lr = 3e-5;
  return train;
}

TEST(LearningRate, RisesOnALineToThePeakAtTheEndOfTheWarmup) {
  const auto train = two_hundred_steps();
  EXPECT_DOUBLE_EQ(learning_rate(train, 1), 3e-5);
  EXPECT_DOUBLE_EQ(learning_rate(train, 5), 1.5e-4);
  EXPECT_DOUBLE_EQ(learning_rate(train, 10), 3e-4);
}

TEST(LearningRate, FallsOnACosineToTheLeastAtTheLastStep) {
  const auto train = two_hundred_steps();
  EXPECT_DOUBLE_EQ(learning_rate(train, 110), (3e-4 + 3e-5) / 2);
  EXPECT_NEAR(learning_rate(train, 60), 3e-5 + 2.7e-4 * 0.5 * (1 + std::sqrt(0.5)), 1e-18);
  EXPECT_DOUBLE_EQ(learning_rate(train, 210), 3e-5);
  EXPECT_DOUBLE_EQ(learning_rate(train, 1000), 3e-5);
  for (std::int64_t step = 11; step <= 210; ++step)
    EXPECT_LT(learning_rate(train, step), learning_rate(train, step - 1)) << step;
}

TEST(LearningRate, StartsAtThePeakWithoutAWarmup) {
  auto train = two_hundred_steps();
  train.lr_schedule.warmup = 0;
  EXPECT_NEAR(learning_rate(train, 1), 3e-4, 1e-7);
}

TEST(LearningRate, ReachesThePeakWhenTheWholeRunIsWarmup) {
  auto train = two_hundred_steps();
  train.lr_schedule.warmup = train.steps;
  EXPECT_DOUBLE_EQ(learning_rate(train, train.steps), 3e-4);
}

}  // namespace
}  // namespace phalanx::model
