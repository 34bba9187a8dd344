// A mixture of experts over several processes against the same on one rank with all tokens.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model/moe_feed_forward.h"
#include "parallel/tensor_buffer.h"
#include "tests/kernels/tensors.h"
#include "tests/model/small_model.h"
#include "tests/parallel/ranks.h"

namespace phalanx::model {
namespace {

using parallel::AxisGroups;
using parallel::test::on_ranks;
using test::numbers;

constexpr double kExact = 1e-12;
const std::string kLayer = "layers.0";

config::Model small_mixture(const std::string& preset) {
  config::Model model;
  model.preset = preset;
  model.layers = 1;
  model.width = 24;
  model.heads = model.kv_heads = 4;
  model.ffn_width = 37;
  model.sequence_length = 12;
  model.vocab_size = 11;
  model.experts = 8;
  model.experts_per_token = 2;
  if (preset == "qwen_moe") model.expert_width = 19;
  model.router.balance_loss = 0.3;
  return model;
}

// All parameters; bias[e] draws tokens to expert e.
parallel::Parameters parameters_with(const config::Model& model, const at::Tensor& bias,
                                     at::ScalarType type = at::kDouble) {
  auto parameters = parameters_of(model, type);
  parameters.at(kLayer + ".ffn.router.bias").value.copy_(bias);
  return parameters;
}

struct Passes {
  at::Tensor y, dx;
  double auxiliary = 0;
};
Passes run(const MoeFeedForward& block, const at::Tensor& x, const at::Tensor& dy) {
  parallel::Saved saved;
  Passes passes;
  passes.y = block.forward(x, saved);
  passes.auxiliary = block.auxiliary_loss(saved).item<double>();
  passes.dx = block.backward_input(dy, saved);
  block.backward_weight(saved);
  return passes;
}

void expect_near(const at::Tensor& found, const at::Tensor& expected, const std::string& what) {
  EXPECT_LE((found - expected).norm().item<double>(), kExact * expected.norm().item<double>())
      << what;
}

void expect_sum_over(comm::Group& group, const at::Tensor& part, const at::Tensor& expected,
                     const std::string& what) {
  auto sum = part.clone();
  group.all_reduce(parallel::buffer_of(sum)).wait();
  expect_near(sum, expected, what);
}

bool is_of_expert(const std::string& name) { return name.find(".experts.") != std::string::npos; }

// Only what a rank of the expert axis holds.
parallel::Parameters held(const config::Model& model, const parallel::Parameters& all, int ranks,
                          int rank) {
  parallel::Parameters own;
  for (const auto& spec : layout::tensor_specs(model))
    if (spec.expert < 0 || spec.expert * ranks / model.experts == rank)
      own[spec.name] = all.at(spec.name);
  return own;
}

// Sequences of rank r: one more than its number, but none on rank 1.
struct Sequences {
  std::int64_t first = 0, count = 0;
};
Sequences sequences_of(int rank) {
  Sequences own;
  for (int r = 0; r <= rank; ++r) {
    own.first += own.count;
    own.count = r == 1 ? 0 : r + 1;
  }
  return own;
}

void expect_as_on_one_rank(const std::string& preset, int ranks, const at::Tensor& bias,
                           std::int64_t chunks) {
  on_ranks(ranks, ranks / 2, [&](const std::shared_ptr<comm::Group>& group) {
    const auto model = small_mixture(preset);
    const auto last = sequences_of(ranks - 1), own = sequences_of(group->rank());
    const auto x = numbers({last.first + last.count, 12, 24}, 1), dy = numbers(x.sizes(), 2);
    const auto whole = parameters_with(model, bias), apart = parameters_with(model, bias);
    const auto expected = run(MoeFeedForward(model, kLayer, whole), x, dy);
    const auto mine = held(model, apart, ranks, group->rank());
    const auto found =
        run(MoeFeedForward(model, kLayer, mine, {.expert = group, .expert_chunks = chunks}),
            x.narrow(0, own.first, own.count), dy.narrow(0, own.first, own.count));
    expect_near(found.y, expected.y.narrow(0, own.first, own.count), "y");
    expect_near(found.dx, expected.dx.narrow(0, own.first, own.count), "dx");
    expect_sum_over(*group, at::scalar_tensor(found.auxiliary, at::kDouble),
                    at::scalar_tensor(expected.auxiliary, at::kDouble), "balancing loss");
    for (const auto& [name, parameter] : mine)
      if (is_of_expert(name))
        expect_near(parameter.gradient, whole.at(name).gradient, name);
      else
        expect_sum_over(*group, parameter.gradient, whole.at(name).gradient, name);
  });
}

struct Load {
  const char* name;
  std::vector<double> bias;

  friend std::ostream& operator<<(std::ostream& out, const Load& load) { return out << load.name; }
};
class ExpertParallel : public testing::TestWithParam<Load> {};

TEST_P(ExpertParallel, IsTheSameMixtureAsOnOneRank) {
  for (const auto* preset : {"mixtral", "qwen_moe"})
    for (const int ranks : {2, 4})
      for (const std::int64_t chunks : {1, 8})
        expect_as_on_one_rank(preset, ranks, at::tensor(GetParam().bias, at::kDouble), chunks);
}

INSTANTIATE_TEST_SUITE_P(Loads, ExpertParallel,
                         testing::Values(Load{"Even", {0, 0, 0, 0, 0, 0, 0, 0}},
                                         Load{"AllTokensToExpert5AndNoneToExpert2",
                                              {0, 0, -3, 0, 0, 3, 0, 0}},
                                         Load{"AllTokensToTheFirstRank", {4, 3, 0, 0, 0, 0, 0, 0}}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(ExpertParallel, RepeatsBitForBit) {
  on_ranks(4, 2, [&](const std::shared_ptr<comm::Group>& group) {
    const auto model = small_mixture("qwen_moe");
    const auto x = numbers({3, 12, 24}, static_cast<std::uint64_t>(group->rank()), at::kFloat),
               dy = numbers({3, 12, 24}, 9, at::kFloat);
    const auto bias = at::zeros({8});
    const auto once = parameters_with(model, bias, at::kFloat);
    const auto again = parameters_with(model, bias, at::kFloat);
    const AxisGroups groups{.expert = group, .expert_chunks = 8};
    const auto first = run(MoeFeedForward(model, kLayer, once, groups), x, dy);
    const auto second = run(MoeFeedForward(model, kLayer, again, groups), x, dy);
    EXPECT_TRUE(at::equal(first.y, second.y) && at::equal(first.dx, second.dx));
    for (const auto& [name, parameter] : once)
      EXPECT_TRUE(at::equal(parameter.gradient, again.at(name).gradient)) << name;
  });
}

// The loss of a sequence whose tokens are on several ranks, as the tensor and the context axis have
// them, is that of the whole sequence.
TEST(SharedSequences, AreBalancedAsAWhole) {
  const auto model = small_mixture("mixtral");
  on_ranks(2, 2, [&](const std::shared_ptr<comm::Group>& group) {
    const auto bias = at::zeros({8}, at::kDouble);
    const auto x = numbers({3, 12, 24}, 1), dy = numbers(x.sizes(), 2);
    const auto whole = parameters_with(model, bias);
    const auto expected = run(MoeFeedForward(model, kLayer, whole), x, dy);
    for (const bool by_tensor_axis : {true, false}) {
      const auto part = [&](const at::Tensor& all) {
        const auto tokens = by_tensor_axis ? all.view({1, 36, 24}) : all;
        return tokens.chunk(2, 1)[static_cast<std::size_t>(group->rank())].contiguous();
      };
      const auto parameters = parameters_with(model, bias);
      const AxisGroups groups{by_tensor_axis ? group : nullptr, by_tensor_axis ? nullptr : group,
                              nullptr};
      const auto found = run(MoeFeedForward(model, kLayer, parameters, groups), part(x), part(dy));
      expect_near(found.y, part(expected.y), "y");
      expect_near(found.dx, part(expected.dx), "dx");
      expect_sum_over(*group, at::scalar_tensor(found.auxiliary, at::kDouble),
                      at::scalar_tensor(expected.auxiliary, at::kDouble), "balancing loss");
      for (const auto& [name, parameter] : parameters)
        expect_sum_over(*group, parameter.gradient, whole.at(name).gradient, name);
    }
  });
}

}  // namespace
}  // namespace phalanx::model
