#include <gtest/gtest.h>

#include <ostream>

#include "tests/runtime/small_job.h"

namespace phalanx::runtime {
namespace {

struct Layout {
  int data = 1, tensor = 1, pipeline = 1, zero_stage = 0;
  const char* schedule = "1f1b";
  int virtual_stages = 1;
  const char* recompute = "none";
  const char* preset = "llama";
  int context = 1;
  const char* context_attention = "ring";
  int expert = 1;

  friend std::ostream& operator<<(std::ostream& out, const Layout& l) {
    return out << l.preset << " data " << l.data << " tensor " << l.tensor << " pipeline "
               << l.pipeline << " zero " << l.zero_stage << ' ' << l.schedule << " x"
               << l.virtual_stages << " recompute " << l.recompute << " context " << l.context
               << ' ' << l.context_attention << " expert " << l.expert;
  }
};

class ExpertLayouts : public SmallJob, public testing::WithParamInterface<Layout> {
 protected:
  ExpertLayouts() {
    const auto& layout = GetParam();
    job_.train.precision = "fp64";
    job_.model.preset = layout.preset;
    if (layout.preset == std::string("gpt2")) job_.model.kv_heads = job_.model.heads;
    if (layout.preset == std::string("mixtral") || layout.preset == std::string("qwen_moe")) {
      job_.model.experts = 4;
      job_.model.experts_per_token = 2;
      job_.model.router = {"preset", 0.05, 0.01};
    }
    if (layout.preset == std::string("qwen_moe")) job_.model.expert_width = 24;
    job_.parallel.expert = layout.expert;
    job_.parallel.tensor = layout.tensor;
    job_.parallel.pipeline = layout.pipeline;
    job_.parallel.zero_stage = layout.zero_stage;
    job_.parallel.schedule = layout.schedule;
    job_.parallel.virtual_stages = layout.virtual_stages;
    job_.parallel.recompute = {layout.recompute};
    job_.parallel.context = layout.context;
    job_.parallel.context_attention = layout.context_attention;
    job_.launch.ranks_per_node = layout.data * layout.tensor * layout.pipeline * layout.context;
  }
};

TEST_P(ExpertLayouts, ComputeTheGradientsOfOneRank) {
  const auto expected = first_gradients_of(alone());
  const auto found = first_gradients();
  for (const auto& [name, gradient] : expected) {
    if (name.ends_with("key.bias")) continue;     // nothing but rounding: it moves all scores alike
    if (name.ends_with("router.bias")) continue;  // no gradient
    EXPECT_LE(relative_error(found.at(name), gradient), 1e-10) << name;
  }
}

TEST_P(ExpertLayouts, ComputeTheLossesOfOneRank) {
  const auto expected = curve_of(alone()), found = curve();
  for (std::size_t i = 0; i < expected.losses.size(); ++i) {
    EXPECT_NEAR(found.losses[i] / expected.losses[i], 1, 1e-10) << i;
    EXPECT_NEAR(found.norms[i] / expected.norms[i], 1, 1e-10) << i;
  }
  EXPECT_NEAR(found.validation / expected.validation, 1, 1e-10);
}

// All that moves is summed in one order, whatever the way there.
TEST_P(ExpertLayouts, AreBitwiseTheSameOnAnyNumberOfNodes) {
  job_.train.precision = "fp32";
  const auto ranks = job_.launch.ranks_per_node;
  const auto expected = curve();
  for (const int nodes : {2, 4}) {
    if (ranks % nodes != 0) continue;
    job_.launch.emulate_nodes = nodes;
    job_.launch.ranks_per_node = ranks / nodes;
    EXPECT_EQ(curve(), expected) << nodes << " nodes";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Small, ExpertLayouts,
    testing::Values(
        Layout{.data = 2, .preset = "mixtral", .expert = 2},
        Layout{.data = 4, .zero_stage = 1, .preset = "qwen_moe", .expert = 2},
        Layout{.data = 4, .preset = "qwen_moe", .expert = 4},
        Layout{.data = 2, .tensor = 2, .preset = "mixtral", .expert = 2},
        Layout{.tensor = 4, .preset = "qwen_moe"},
        Layout{.data = 2, .pipeline = 2, .schedule = "zb_h1", .preset = "mixtral", .expert = 2},
        Layout{.data = 2,
               .pipeline = 2,
               .zero_stage = 2,
               .schedule = "zb_v",
               .virtual_stages = 2,
               .preset = "qwen_moe",
               .expert = 2},
        Layout{.data = 4, .zero_stage = 3, .preset = "mixtral", .expert = 2},
        Layout{.data = 2, .recompute = "full", .preset = "qwen_moe", .expert = 2},
        Layout{.preset = "mixtral", .context = 2, .expert = 2},
        Layout{
            .data = 2, .recompute = "selective", .preset = "qwen_moe", .context = 2, .expert = 4},
        Layout{.tensor = 2,
               .pipeline = 2,
               .zero_stage = 3,
               .preset = "mixtral",
               .context = 2,
               .context_attention = "ulysses",
               .expert = 2}));

}  // namespace
}  // namespace phalanx::runtime
