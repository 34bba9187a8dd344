#include "layout/tensor_spec.h"

#include <gtest/gtest.h>

namespace phalanx::layout {
namespace {

TEST(FlopsPerToken, AreSixForEveryParameterBesideTheTableAndTwelveForEveryPairInAttention) {
  config::Model model;
  model.layers = 2;
  model.width = 8;
  model.heads = 4;
  model.kv_heads = 2;
  model.ffn_width = 24;
  model.sequence_length = 10;
  model.vocab_size = 100;
  const double attention = 8 * 8 + 2 * 4 * 8 + 8 * 8, feed_forward = 3 * 8 * 24, norms = 2 * 8;
  const double parameters = 2 * (attention + feed_forward + norms) + 8 + 100 * 8;
  EXPECT_EQ(flops_per_token(model), 6 * parameters + 12 * 2 * 8 * 10);
}

}  // namespace
}  // namespace phalanx::layout
