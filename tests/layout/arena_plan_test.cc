#include "layout/arena_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace phalanx::layout {
namespace {

// The first pair of blocks that are held at one moment and share a byte.
std::string overlap_in(const std::vector<Lifetime>& blocks, const ArenaPlan& plan) {
  for (std::size_t i = 0; i < blocks.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const bool together = blocks[i].begin < blocks[j].end && blocks[j].begin < blocks[i].end;
      const bool share = plan.offsets[i] < plan.offsets[j] + blocks[j].bytes &&
                         plan.offsets[j] < plan.offsets[i] + blocks[i].bytes;
      if (together && share) return std::to_string(j) + " and " + std::to_string(i);
    }
  return "";
}

void expect_valid(const std::vector<Lifetime>& blocks, const ArenaPlan& plan) {
  ASSERT_EQ(plan.offsets.size(), blocks.size());
  EXPECT_EQ(overlap_in(blocks, plan), "");
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_GE(plan.offsets[i], 0);
    EXPECT_EQ(plan.offsets[i] % kArenaAlignment, 0);
    EXPECT_LE(plan.offsets[i] + blocks[i].bytes, plan.bytes);
  }
  EXPECT_GE(plan.bytes, peak_bytes(blocks));
}

// What `layers` of a network hold: each keeps a block until its backward pass, which needs others
// for a moment, as its forward pass did.
std::vector<Lifetime> forward_and_backward(std::int64_t layers, std::mt19937& random) {
  std::uniform_int_distribution<std::int64_t> size(1, 1 << 20);
  const std::int64_t kept = size(random), hidden = size(random);
  std::vector<Lifetime> blocks;
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::int64_t forward = 4 * i, backward = 8 * layers - 4 * i;
    blocks.push_back({kept, forward, backward + 3});
    blocks.push_back({hidden, forward + 1, forward + 2});
    blocks.push_back({hidden, backward, backward + 2});
    blocks.push_back({kept / 2 + 1, backward + 1, backward + 5});
  }
  return blocks;
}

TEST(ArenaPlan, OfNothingIsEmpty) {
  EXPECT_EQ(plan_arena({}).bytes, 0);
  EXPECT_EQ(peak_bytes({}), 0);
}

TEST(ArenaPlan, GivesMemoryOnToTheBlockThatBeginsWhenAnotherEnds) {
  const std::vector<Lifetime> blocks = {{640, 0, 1}, {640, 1, 2}, {64, 0, 2}};
  const auto plan = plan_arena(blocks);
  expect_valid(blocks, plan);
  EXPECT_EQ(plan.offsets[0], plan.offsets[1]);
  EXPECT_EQ(plan.bytes, 704);
  EXPECT_EQ(peak_bytes(blocks), 704);
}

TEST(ArenaPlan, TakesTheSmallestGapThatFits) {
  // Those of 1024 and 256 leave gaps between blocks that stay; one of 128 comes.
  const std::vector<Lifetime> blocks = {{4096, 0, 9}, {1024, 0, 2}, {512, 0, 9},
                                        {256, 0, 2},  {192, 0, 9},  {128, 3, 9}};
  const auto plan = plan_arena(blocks);
  expect_valid(blocks, plan);
  EXPECT_EQ(plan.offsets[5], plan.offsets[3]);
  EXPECT_EQ(plan.bytes, peak_bytes(blocks));
}

TEST(ArenaPlan, NeverOverlapsInRandomTracesAndStaysWithinAFifthOfTheBound) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::uniform_int_distribution<std::int64_t> moment(0, 300), size(0, 1 << (4 + round % 16));
    std::vector<Lifetime> blocks(static_cast<std::size_t>(1 + round));
    for (auto& block : blocks) {
      const auto [begin, end] = std::minmax(moment(random), moment(random));
      block = {size(random), begin, end + 1};
    }
    const auto plan = plan_arena(blocks);
    expect_valid(blocks, plan);
    EXPECT_LE(static_cast<double>(plan.bytes), 1.2 * static_cast<double>(peak_bytes(blocks)))
        << "round " << round;
  }
}

TEST(ArenaPlan, OfForwardAndBackwardStaysWithinATwentiethOfTheBound) {
  std::mt19937 random(3);
  for (int round = 0; round < 100; ++round) {
    const auto blocks = forward_and_backward(1 + round % 24, random);
    const auto plan = plan_arena(blocks);
    expect_valid(blocks, plan);
    EXPECT_LE(static_cast<double>(plan.bytes), 1.05 * static_cast<double>(peak_bytes(blocks)))
        << "round " << round;
  }
}

TEST(ArenaPlan, IsTheSameForTheSameBlocks) {
  std::mt19937 random(5);
  const auto blocks = forward_and_backward(12, random);
  EXPECT_EQ(plan_arena(blocks).offsets, plan_arena(blocks).offsets);
}

}  // namespace
}  // namespace phalanx::layout
