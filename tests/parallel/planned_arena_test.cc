#include "parallel/planned_arena.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <thread>

#include "layout/arena_plan.h"

namespace phalanx::parallel {
namespace {

class Arena : public testing::Test {
 protected:
  Arena() { count_tensor_memory(); }

  static at::Tensor tensor(std::int64_t elements, float value) {
    return at::full({elements}, value);
  }

  // Layers keep tensors until they are needed again, in the opposite order. All hold what was
  // written into them, or this fails.
  static void forward_and_backward(std::int64_t layers) {
    std::vector<at::Tensor> kept;
    for (std::int64_t i = 0; i < layers; ++i) {
      const auto hidden = tensor(3000 * (i + 1), -1);
      kept.push_back(tensor(1000 * (i + 1), static_cast<float>(i)));
    }
    while (!kept.empty()) {
      const auto gradient = tensor(5000, -2);
      EXPECT_TRUE(kept.back().eq(static_cast<float>(kept.size() - 1)).all().item<bool>());
      EXPECT_TRUE(gradient.eq(-2).all().item<bool>());
      kept.pop_back();
    }
  }

  void pass(const std::function<void()>& work) {
    const PlannedArena::Pass pass(arena_);
    work();
  }

  PlannedArena arena_{MemoryUse::kActivations};
};

TEST_F(Arena, HoldsEveryTensorFromTheSecondPassOn) {
  pass([] { forward_and_backward(4); });
  EXPECT_GT(arena_.counts().blocks, 12);
  EXPECT_EQ(arena_.counts().unplanned, arena_.counts().blocks);
  const auto bytes = arena_.bytes();
  EXPECT_GE(bytes, arena_.counts().peak);
  for (int i = 0; i < 3; ++i) {
    pass([] { forward_and_backward(4); });
    EXPECT_EQ(arena_.counts().unplanned, 0);
    EXPECT_EQ(arena_.bytes(), bytes);
  }
}

TEST_F(Arena, TakesWhatDiffersFromTheSystemAndPlansAgain) {
  pass([] { forward_and_backward(4); });
  pass([] { forward_and_backward(3); });
  EXPECT_GT(arena_.counts().unplanned, 0);
  EXPECT_LT(arena_.counts().unplanned, arena_.counts().blocks);
  pass([] { forward_and_backward(3); });
  EXPECT_EQ(arena_.counts().unplanned, 0);
}

// The plan gives its memory on when it expects a tensor to be gone; this one is not.
TEST_F(Arena, NeverGivesAwayWhatATensorThatStaysLongerHolds) {
  const auto work = [](bool stays) {
    auto first = tensor(4000, 1);
    const auto held = stays ? first : at::Tensor();
    first.reset();
    const auto second = tensor(4000, 2);
    if (stays) {
      EXPECT_TRUE(held.eq(1).all().item<bool>());
    }
    EXPECT_TRUE(second.eq(2).all().item<bool>());
  };
  pass([&] { work(false); });
  pass([&] { work(true); });
  pass([&] { work(true); });
  EXPECT_EQ(arena_.counts().unplanned, 0);
}

TEST_F(Arena, NeverGivesAwayWhatIsHeldWhenAnotherOfTheSameSizeIsFreed) {
  const auto work = [](std::size_t freed) {
    at::Tensor both[] = {tensor(4000, 0), tensor(4000, 1)};
    both[freed].reset();
    const auto third = tensor(4000, 2);
    EXPECT_TRUE(both[1 - freed].eq(static_cast<float>(1 - freed)).all().item<bool>());
    EXPECT_TRUE(third.eq(2).all().item<bool>());
  };
  pass([&] { work(0); });
  pass([&] { work(0); });
  EXPECT_EQ(arena_.counts().unplanned, 0);
  pass([&] { work(1); });
  EXPECT_GT(arena_.counts().unplanned, 0);
}

TEST_F(Arena, LeavesOutOfThePlanWhatOutlivesAPass) {
  std::vector<at::Tensor> results;
  for (int i = 0; i < 4; ++i)
    pass([&] {
      forward_and_backward(2);
      results.push_back(tensor(100, static_cast<float>(i)));
    });
  EXPECT_EQ(arena_.counts().unplanned, 1);
  for (int i = 0; i < 4; ++i)
    EXPECT_TRUE(results[static_cast<std::size_t>(i)].eq(i).all().item<bool>());
}

TEST_F(Arena, WaitsForATensorOfThePlanThatOutlivesItsPass) {
  at::Tensor kept;
  const auto work = [&](bool keep) {
    auto first = tensor(4000, 5);
    if (keep) kept = first;
    first.reset();
    forward_and_backward(2);
  };
  pass([&] { work(false); });
  pass([&] { work(true); });
  pass([&] { work(false); });
  EXPECT_EQ(arena_.counts().unplanned, arena_.counts().blocks);
  EXPECT_TRUE(kept.eq(5).all().item<bool>());
  std::jthread([&] { kept.reset(); }).join();
  pass([&] { work(false); });
  pass([&] { work(false); });
  EXPECT_EQ(arena_.counts().unplanned, 0);
}

TEST_F(Arena, LearnsNothingFromAPassThatAnExceptionEnded) {
  pass([] { forward_and_backward(4); });
  EXPECT_THROW(pass([] {
                 const auto lost = tensor(7, 0);
                 throw std::runtime_error("a peer died");
               }),
               std::runtime_error);
  pass([] { forward_and_backward(4); });
  EXPECT_EQ(arena_.counts().unplanned, 0);
}

TEST_F(Arena, IsOneThreadsOwn) {
  pass([] { forward_and_backward(2); });
  pass([] {
    std::jthread([] { forward_and_backward(5); }).join();
    forward_and_backward(2);
  });
  EXPECT_EQ(arena_.counts().unplanned, 0);
}

// Tensors come, stay and go at random; every pass is a little unlike the one before.
TEST_F(Arena, KeepsEveryTensorsContentInRandomPasses) {
  std::mt19937 random(11);
  for (int i = 0; i < 60; ++i) {
    std::mt19937 choices(static_cast<unsigned>(i / 3));
    pass([&] {
      std::vector<std::pair<at::Tensor, float>> held;
      for (int event = 0; event < 200; ++event) {
        if (held.empty() || choices() % 2 == 0) {
          const auto value = static_cast<float>(event);
          held.emplace_back(tensor(1 + choices() % 100000, value), value);
        } else {
          std::swap(held[choices() % held.size()], held.back());
          EXPECT_TRUE(held.back().first.eq(held.back().second).all().item<bool>());
          held.pop_back();
        }
        if (i % 3 == 1 && random() % 500 == 0) held.clear();
      }
    });
  }
}

TEST_F(Arena, CountsItsTensorsAsWhatItIsFor) {
  const auto before = memory_count(MemoryUse::kActivations).held;
  for (int i = 0; i < 2; ++i)
    pass([&] {
      const auto one = tensor(1000, 0);
      const auto held = memory_count(MemoryUse::kActivations).held - before;
      EXPECT_GE(held, 4000);
      EXPECT_LE(held, 4000 + 2 * layout::kArenaAlignment);
    });
  EXPECT_EQ(memory_count(MemoryUse::kActivations).held, before);
}

TEST(TensorMemory, IsCountedByUseUntilItIsFreed) {
  count_tensor_memory();
  const auto before = memory_count(MemoryUse::kOptimizer);
  at::Tensor large;
  {
    const MemoryScope scope(MemoryUse::kOptimizer);
    large = at::empty({1 << 20}, at::kFloat);
    const CountedMemory shared(MemoryUse::kOptimizer, 1000);
    EXPECT_GE(memory_count(MemoryUse::kOptimizer).held - before.held, (4 << 20) + 1000);
  }
  const auto after = memory_count(MemoryUse::kOptimizer).held - before.held;
  EXPECT_GE(after, 4 << 20);
  EXPECT_LT(after, (4 << 20) + 1000);
  large.reset();
  EXPECT_EQ(memory_count(MemoryUse::kOptimizer).held, before.held);
  EXPECT_GE(memory_count(MemoryUse::kOptimizer).peak, before.held + (4 << 20));
}

TEST(TensorMemory, OfAnySizeBeginsAtACacheLine) {
  count_tensor_memory();
  for (const std::int64_t elements : {1, 3, 17, 1000, 100000, 3000001}) {
    const auto tensor = at::empty({elements}, at::kFloat);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr()) % 64, 0U) << elements;
  }
  EXPECT_EQ(at::empty({0}, at::kFloat).numel(), 0);
}

}  // namespace
}  // namespace phalanx::parallel
