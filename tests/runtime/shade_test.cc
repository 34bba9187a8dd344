// What a block leaves of its backward pass is done while the next one waits for other ranks.
#include <ATen/ops/ones_like.h>
#include <gtest/gtest.h>

#include "model/transformer.h"
#include "tests/model/held_parameters.h"
#include "tests/model/small_model.h"
#include "tests/parallel/ranks_as_threads.h"
#include "tests/runtime/watched_group.h"

namespace phalanx::runtime {
namespace {

struct Case {
  const char* preset;
  WatchedAxis axis;
  const char* exchange = "ring";
  int ranks = 2;
  bool recomputes = false;  // attention

  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << c.preset << ' ' << axis_name(c.axis) << ' ' << c.exchange << ' ' << c.ranks
               << (c.recomputes ? " recomputed" : "");
  }
};

class Shade : public testing::TestWithParam<Case> {
 protected:
  Shade() {
    const auto& [preset, axis, exchange, ranks, recomputes] = GetParam();
    job_.model = {preset, 2, 16, 4, 4, 24, 8, 101};
    if (preset == std::string("qwen_moe")) {
      job_.model.experts = 4;
      job_.model.experts_per_token = 2;
      job_.model.expert_width = 20;
    }
    (axis == WatchedAxis::kTensor    ? job_.parallel.tensor
     : axis == WatchedAxis::kContext ? job_.parallel.context
                                     : job_.parallel.expert) = ranks;
    job_.launch.ranks_per_node = ranks;
  }

  MeshGroups groups(const std::shared_ptr<comm::Group>& all) const {
    MeshGroups groups;
    groups.world = all;
    (GetParam().axis == WatchedAxis::kTensor    ? groups.axes.tensor
     : GetParam().axis == WatchedAxis::kContext ? groups.axes.context
                                                : groups.axes.expert) = all;
    if (GetParam().exchange == std::string("ulysses"))
      groups.axes.exchange = parallel::ContextExchange::kHeads;
    groups.axes.expert_chunks = 3;
    return groups;
  }

  // Whether the backward pass of its input waits for other ranks before it has computed much.
  bool waits(const parallel::Block& block) const {
    const bool attention = block.name().ends_with("attention");
    if (block.name() == "head" || (attention && GetParam().recomputes)) return false;
    if (GetParam().axis == WatchedAxis::kTensor) return true;
    return GetParam().axis == WatchedAxis::kContext ? attention : block.name().ends_with("ffn");
  }

  parallel::Chunk chunk(const parallel::Parameters& parameters, const MeshGroups& groups) const {
    return model::make_chunk(
        job_.model, model::all_layers(job_.model), parameters, groups.axes,
        GetParam().recomputes ? layout::Recompute::kSelective : layout::Recompute::kNone);
  }

  config::Job job_;
};

TEST_P(Shade, OfABlockThatWaitsIsUsedAndChangesNoBit) {
  on_ranks(std::vector<int>(static_cast<std::size_t>(GetParam().ranks), 0), 16 << 20,
           [&](const std::shared_ptr<comm::Group>& group) {
             auto groups = this->groups(group);
             Watch watch(group->rank(), nullptr);
             watch.wrap(groups);
             const auto moved = [&] {
               std::size_t bytes = 0;
               for (const auto& [group, given] : watch.bytes()) bytes += given;
               return bytes;
             };
             const auto together = model::held_parameters(job_, group->rank()),
                        apart = model::held_parameters(job_, group->rank());
             const auto in_one = chunk(together, groups), in_two = chunk(apart, groups);
             const auto length = groups.axes.own_length(job_.model.sequence_length);
             const auto x = model::batch_of(job_.model, 3, length, 1).inputs;
             parallel::Activations one, two;
             auto dy = at::ones_like(in_one.forward(x, one));
             auto expected = at::ones_like(in_two.forward(x, two));
             for (std::size_t i = in_one.blocks().size(); i-- > 0;) {
               const auto& block = *in_one.blocks()[i];
               const auto before = moved();
               std::size_t then = 0;
               parallel::Meanwhile earlier([&] { then = moved(); });
               auto [dx, weight] = block.backward(dy, one.blocks[i], earlier);
               EXPECT_EQ(then > before, waits(block)) << block.name();
               EXPECT_GE(then, before) << block.name();
               weight();
               expected = in_two.blocks()[i]->backward_input(expected, two.blocks[i]);
               in_two.blocks()[i]->backward_weight(two.blocks[i]);
               if (i > 0) {
                 EXPECT_TRUE(at::equal(dx, expected)) << block.name();
               }
               dy = dx;
             }
             for (const auto& [name, parameter] : apart)
               EXPECT_TRUE(at::equal(together.at(name).gradient, parameter.gradient)) << name;
             group->barrier().wait();
           });
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const auto& [preset, axis, exchange, ranks, recomputes] = info.param;
  return std::string(preset) + "_" + axis_name(axis) + "_" + exchange + "_" +
         std::to_string(ranks) + (recomputes ? "_recomputed" : "");
}

INSTANTIATE_TEST_SUITE_P(Blocks, Shade,
                         testing::Values(Case{"llama", WatchedAxis::kTensor},
                                         Case{"gpt2", WatchedAxis::kTensor},
                                         Case{"llama", WatchedAxis::kTensor, "ring", 4, true},
                                         Case{"llama", WatchedAxis::kContext},
                                         Case{"gpt2", WatchedAxis::kContext},
                                         Case{"llama", WatchedAxis::kContext, "ulysses"},
                                         Case{"gpt2", WatchedAxis::kContext, "ulysses", 4},
                                         Case{"qwen_moe", WatchedAxis::kExpert},
                                         Case{"qwen_moe", WatchedAxis::kExpert, "ring", 4}),
                         name_of);

}  // namespace
}  // namespace phalanx::runtime
