#include <gtest/gtest.h>

#include "kernels/cross_entropy.h"
#include "kernels/device.h"
#include "kernels/embedding.h"
#include "tests/kernels/tensors.h"

// What stops the process on the CPU, with a message.
namespace phalanx::kernels {
namespace {

using test::numbers;

TEST(EmbeddingDeathTest, RefusesATokenBeyondTheVocabulary) {
  EXPECT_DEATH(kernels::embedding(at::tensor({13}, at::kLong), at::zeros({13, 5}), {0, 13}),
               "beyond the vocabulary");
}

TEST(CrossEntropyDeathTest, RefusesATargetBeyondTheVocabulary) {
  auto logits = numbers({1, 7}, 1);
  EXPECT_DEATH(cross_entropy(logits, at::tensor({7}, at::kLong)), "beyond the vocabulary");
}

TEST(DeviceDeathTest, NamesADeviceThatNothingHasKernelsFor) {
  EXPECT_DEATH(row_of(c10::DeviceType::XLA), "nothing has registered kernels for device xla");
}

}  // namespace
}  // namespace phalanx::kernels
