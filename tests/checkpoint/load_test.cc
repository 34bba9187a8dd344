#include "checkpoint/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/error.h"
#include "checkpoint/overlap.h"
#include "saved_state.h"

namespace phalanx::checkpoint {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Load, GivesTheSameStateHoweverItWasAndIsDivided) {
  for (const int saved : {1, 4, 9}) {
    const TemporaryFolder output;
    const auto checkpoint = save_checkpoint(output.path(), {5, 1}, 1, saved);
    for (const int loaded : {1, 3, 4, 7, 64}) expect_state(checkpoint, loaded);
  }
}

TEST(Load, GivesColumnsAndBoxesOfWhatWasSavedInRows) {
  const TemporaryFolder output;
  const auto checkpoint = save_checkpoint(output.path(), {5, 1});
  const std::vector<layout::Region> boxes{{"layers.1.ffn.up.weight", {0, 5}, {40, 7}},
                                          {"layers.0.ffn.down.weight", {3, 39}, {21, 1}},
                                          {"norm.weight", {1}, {22}}};
  const auto expected = owned_state(boxes, 5);
  std::vector<std::vector<float>> memory;
  std::vector<MutableStateView> wanted;
  for (const auto& view : expected.views) {
    memory.emplace_back(view.data.size(), -1.0f);
    wanted.push_back({view.kind, view.region, memory.back()});
  }
  load(checkpoint, read_manifest(checkpoint), wanted);
  EXPECT_EQ(memory, expected.memory);
}

TEST(Load, NamesWhatTheCheckpointDoesNotHold) {
  const TemporaryFolder output;
  const auto checkpoint = save_checkpoint(output.path(), {5, 1});
  std::vector<float> memory(24);
  const std::vector<MutableStateView> wanted{{"master", {"norm.weight", {0}, {24}}, memory}};
  try {
    load(checkpoint, read_manifest(checkpoint), wanted);
    FAIL() << "nothing was thrown";
  } catch (const CheckpointError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("expected 24 elements of master norm.weight [0:24]"),
                                    HasSubstr("found 0")));
  }
}

TEST(Overlap, CopiesExactlyTheSharedElementsOfBoxesOfThreeDimensions) {
  const layout::Region from{"t", {1, 2, 3}, {3, 4, 5}}, to{"t", {2, 0, 4}, {5, 5, 3}};
  std::vector<float> source(60), target(75, -1.0f);
  for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<float>(i);
  EXPECT_EQ(copy_overlap(from, source, to, target), 2 * 3 * 3);
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < 5; ++j)
      for (int k = 0; k < 3; ++k) {
        const int a = i + 2 - 1, b = j - 2, c = k + 4 - 3;
        const bool shared = a < 3 && b >= 0 && b < 4 && c < 5;
        EXPECT_EQ(target[static_cast<std::size_t>((i * 5 + j) * 3 + k)],
                  shared ? static_cast<float>((a * 4 + b) * 5 + c) : -1.0f);
      }
}

TEST(Overlap, IsEmptyForBoxesThatOnlyTouchAndForOtherTensors) {
  EXPECT_FALSE(overlap({"t", {0, 0}, {2, 2}}, {"t", {2, 0}, {2, 2}}));
  EXPECT_FALSE(overlap({"t", {0, 0}, {2, 2}}, {"u", {0, 0}, {2, 2}}));
  EXPECT_TRUE(overlap({"scalar", {}, {}}, {"scalar", {}, {}}));
}

}  // namespace
}  // namespace phalanx::checkpoint
