#include "data/ordered_pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

namespace phalanx::data {
namespace {

TEST(OrderedPipeline, GivesResultsInOrderForAnyNumberOfThreads) {
  for (const int threads : {0, 1, 2, 7, 64})
    for (const std::size_t count : {0u, 1u, 5u, 1000u}) {
      OrderedPipeline<std::size_t> pipeline(count, threads, [](std::size_t i) { return i * i; });
      for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(pipeline.take(), i * i);
    }
}

TEST(OrderedPipeline, ThrowsAFailureAtItsPlaceInTheOrder) {
  OrderedPipeline<std::size_t> pipeline(100, 4, [](std::size_t i) {
    if (i == 3 || i == 5) throw std::runtime_error(std::to_string(i));
    return i;
  });
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(pipeline.take(), i);
  EXPECT_THROW(pipeline.take(), std::runtime_error);
  EXPECT_EQ(pipeline.take(), 4u);
}

TEST(OrderedPipeline, MakesNoMoreThanFourResultsAThreadAhead) {
  std::atomic<std::size_t> made = 0;
  OrderedPipeline<std::size_t> pipeline(1000, 2, [&](std::size_t i) {
    ++made;
    return i;
  });
  for (std::size_t taken = 1; taken <= 1000; ++taken) {
    pipeline.take();
    EXPECT_LE(made, taken + 8);
  }
}

TEST(OrderedPipeline, EndsWhenItIsLeftEarly) {
  std::atomic<std::size_t> made = 0;
  {
    OrderedPipeline<std::size_t> pipeline(1'000'000, 3, [&](std::size_t i) {
      ++made;
      return i;
    });
    pipeline.take();
  }
  EXPECT_LE(made, 13u);
}

}  // namespace
}  // namespace phalanx::data
