#include <gtest/gtest.h>

#include <vector>

#include "kernels/cuda/block.cuh"
#include "kernels/cuda/launch.cuh"

// The emulator itself: it must see what it is there to see.
namespace phalanx::kernels::cuda {
namespace {

class InOrder : public testing::TestWithParam<emulator::Order> {
 protected:
  void SetUp() override { emulator::set_order(GetParam()); }
  void TearDown() override { emulator::set_order(emulator::Order::kForward); }
};
INSTANTIATE_TEST_SUITE_P(Orders, InOrder,
                         testing::Values(emulator::Order::kForward, emulator::Order::kBackward));

TEST_P(InOrder, EveryThreadOfEveryBlockRunsOnce) {
  std::vector<int> times(1000);
  for_each(1000, [&](std::int64_t i) { ++times[static_cast<std::size_t>(i)]; });
  EXPECT_EQ(times, std::vector<int>(1000, 1));
}

TEST_P(InOrder, ABarrierLetsAllThreadsSeeWhatEachHasWritten) {
  std::vector<unsigned> found(kThreads);
  for_each_block(1, [&](std::int64_t) {
    __shared__ unsigned written[kThreads];
    written[threadIdx.x] = threadIdx.x;
    __syncthreads();
    found[threadIdx.x] = written[kThreads - 1 - threadIdx.x];
  });
  for (unsigned t = 0; t < kThreads; ++t) EXPECT_EQ(found[t], kThreads - 1 - t);
}

TEST_P(InOrder, LanesExchangeValuesWithinTheirWarp) {
  std::vector<unsigned> sums(kThreads), flags(kThreads);
  for_each_block(1, [&](std::int64_t) {
    sums[threadIdx.x] = over_warp(threadIdx.x, Add{});
    flags[threadIdx.x] = __ballot_sync(kAllLanes, threadIdx.x % 2 == 1);
  });
  for (unsigned t = 0; t < kThreads; ++t) {
    EXPECT_EQ(sums[t], t / kWarp * kWarp * kWarp + 496);
    EXPECT_EQ(flags[t], 0xAAAAAAAA);
  }
}

// What two threads do without a barrier between them depends on their order.
TEST(Emulator, ShowsAMissingBarrierByItsOrders) {
  unsigned found[2];
  for (const auto order : {emulator::Order::kForward, emulator::Order::kBackward}) {
    emulator::set_order(order);
    for_each_block(1, [&](std::int64_t) {
      __shared__ unsigned word;
      if (threadIdx.x == 0) word = 7;
      if (threadIdx.x == 1) {
        found[static_cast<int>(order)] = word;
        word = 0;
      }
    });
  }
  emulator::set_order(emulator::Order::kForward);
  EXPECT_NE(found[0], found[1]);
}

TEST(EmulatorDeathTest, EndsTheProcessWhereSomeThreadsWaitForever) {
  EXPECT_DEATH(for_each_block(1,
                              [](std::int64_t) {
                                if (threadIdx.x < kWarp)
                                  __syncthreads();
                                else
                                  over_warp(threadIdx.x < 40 ? 0 : (__syncthreads(), 1), Add{});
                              }),
               "waits for threads that never come");
}

}  // namespace
}  // namespace phalanx::kernels::cuda
