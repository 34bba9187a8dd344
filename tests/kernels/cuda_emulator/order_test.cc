#include <gtest/gtest.h>

#include "cuda_runtime.h"
#include "kernels/attention.h"
#include "kernels/bias.h"
#include "kernels/cross_entropy.h"
#include "kernels/embedding.h"
#include "kernels/expert_rows.h"
#include "kernels/layer_norm.h"
#include "kernels/rms_norm.h"
#include "kernels/sigmoid_gate.h"
#include "kernels/squared_norm.h"
#include "tests/kernels/tensors.h"

// The same bits whichever threads and blocks come first: no kernel lacks a barrier that the other
// order would need, and no sum depends on who is first.
namespace phalanx::kernels {
namespace {

using test::numbers;

template <class Run>
void expect_same_bits_in_both_orders(const Run& run) {
  emulator::set_order(emulator::Order::kBackward);
  const std::vector<at::Tensor> backward = run();
  emulator::set_order(emulator::Order::kForward);
  const std::vector<at::Tensor> forward = run();
  for (std::size_t i = 0; i < forward.size(); ++i)
    EXPECT_TRUE(test::same_bits(forward[i], backward[i])) << "result " << i;
}

TEST(EitherOrder, OfNorms) {
  expect_same_bits_in_both_orders([]() -> std::vector<at::Tensor> {
    const auto x = numbers({70, 300}, 1, at::kFloat), weight = numbers({300}, 2, at::kFloat);
    auto dy = numbers({70, 300}, 3, at::kFloat), other_dy = dy.clone();
    const auto rms = rms_norm(x, weight, 1e-5);
    const auto layer = layer_norm(x, weight, weight, 1e-5);
    const auto of_rms = rms_norm_backward(dy, x, weight, rms.inverse_rms, x);
    const auto of_layer =
        layer_norm_backward(other_dy, x, weight, weight, layer.mean, layer.inverse_deviation, x);
    return {rms.y,       layer.y,          of_rms.dx,      of_rms.dweight, dy,
            of_layer.dx, of_layer.dweight, of_layer.dbias, other_dy};
  });
}

TEST(EitherOrder, OfSumsOverRowsAndOfFlatMemory) {
  expect_same_bits_in_both_orders([]() -> std::vector<at::Tensor> {
    const auto dy = numbers({70, 40}, 1, at::kFloat);
    auto dbias = numbers({40}, 2, at::kFloat);
    add_bias_backward(dy, dbias);
    return {dbias, squared_norm(dy)};
  });
}

TEST(EitherOrder, OfEmbeddingsAndLosses) {
  expect_same_bits_in_both_orders([]() -> std::vector<at::Tensor> {
    const auto tokens = at::arange(50, at::kLong).remainder(7);
    auto dtable = at::zeros({7, 20}, at::kFloat), logits = numbers({50, 300}, 2, at::kFloat);
    add_embedding_backward(numbers({50, 20}, 1, at::kFloat), tokens, dtable, {0, 7});
    const auto loss = cross_entropy(logits, tokens);
    return {dtable, logits, loss};
  });
}

TEST(EitherOrder, OfExpertsRowsAndGates) {
  expect_same_bits_in_both_orders([]() -> std::vector<at::Tensor> {
    const auto experts = at::arange(600, at::kLong).mul(5).remainder(7).view({300, 2});
    const auto order = order_by_expert(experts, 7);
    auto x = numbers({300, 20}, 1, at::kFloat), logits = numbers({300, 1}, 2, at::kFloat);
    add_gated_backward(numbers({300, 20}, 3, at::kFloat), x, logits);
    return {order.choice_of_row, order.row_of_choice, x, logits};
  });
}

TEST(EitherOrder, OfAttention) {
  for (const auto type : {at::kFloat, at::kBFloat16})
    expect_same_bits_in_both_orders([type]() -> std::vector<at::Tensor> {
      auto q = numbers({1, 150, 40}, 1, type), k = numbers({1, 150, 20}, 2, type),
           v = numbers({1, 150, 20}, 3, type);
      const auto forward = attention(q, k, v, {4, 2});
      attention_backward(numbers({1, 150, 40}, 4, type), q, k, v, forward, {4, 2});
      return {forward.out, forward.log_sum_exp, q, k, v};
    });
}

}  // namespace
}  // namespace phalanx::kernels
