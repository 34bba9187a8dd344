// Every block keeps what layout/saved_bytes.h declares, to the byte.
#include "layout/saved_bytes.h"

#include <gtest/gtest.h>

#include <set>

#include "layout/expert_specs.h"
#include "layout/partition.h"
#include "parallel/vocabulary.h"
#include "tests/kernels/tensors.h"
#include "tests/model/held_parameters.h"
#include "tests/model/small_model.h"
#include "tests/parallel/ranks_as_threads.h"

namespace phalanx::model {
namespace {

using layout::BlockKind;

struct Case {
  const char* preset;
  const char* precision;
  int tensor = 1;
  std::int64_t kv_heads = 4;
  int expert = 1, context = 1;
  const char* exchange = "ring";

  int ranks() const { return tensor * expert * context; }
  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << c.preset << ' ' << c.precision << " tensor " << c.tensor << " kv " << c.kv_heads
               << " expert " << c.expert << " context " << c.context << ' ' << c.exchange;
  }
};

// Of memory, each counted once.
std::int64_t bytes_held(const std::vector<parallel::Saved>& blocks,
                        const at::Tensor& beside = at::Tensor()) {
  std::set<const void*> seen;
  std::int64_t bytes = 0;
  const auto count = [&](const at::Tensor& tensor) {
    if (tensor.defined() && seen.insert(tensor.storage().data()).second)
      bytes += static_cast<std::int64_t>(tensor.storage().nbytes());
  };
  for (const auto& saved : blocks)
    for (const auto& tensor : saved) count(tensor);
  count(beside);
  return bytes;
}

BlockKind kind_of(const parallel::Block& block) {
  if (block.name() == "embedding") return BlockKind::kEmbedding;
  if (block.name() == "head") return BlockKind::kHead;
  return block.name().ends_with("attention") ? BlockKind::kAttention : BlockKind::kFeedForward;
}

class SavedBytes : public testing::TestWithParam<Case> {
 protected:
  static constexpr std::int64_t kSequences = 3;

  SavedBytes() {
    const auto& [preset, precision, tensor, kv_heads, expert, context, exchange] = GetParam();
    job_.model = {preset, 2, 16, 4, kv_heads, 24, 8, 101};
    if (preset == std::string("mixtral") || preset == std::string("qwen_moe")) {
      job_.model.experts = 4;
      job_.model.experts_per_token = 2;
      job_.model.expert_width = 20;
    }
    job_.train.precision = precision;
    job_.parallel.tensor = tensor;
    job_.parallel.expert = expert;
    job_.parallel.context = context;
    job_.launch.ranks_per_node = GetParam().ranks();
  }

  layout::MicroBatchShape shape(int tensor_rank) const {
    const auto& [preset, precision, tensor, kv_heads, expert, context, exchange] = GetParam();
    layout::MicroBatchShape shape{kSequences, job_.model.sequence_length / context, tensor,
                                  tensor_rank};
    shape.exchange_ranks = exchange == std::string("ulysses") ? context : 1;
    shape.expert_ranks = expert;
    return shape;
  }

  void expect_what_is_declared(int rank, const parallel::AxisGroups& groups) const {
    const auto each = layout::element_bytes(job_);
    const auto& model = job_.model;
    auto shape = this->shape(rank % GetParam().tensor);
    const auto chunk = make_chunk(model, all_layers(model), held_parameters(job_, rank), groups);
    std::vector<parallel::Saved> saved(chunk.blocks().size());
    std::int64_t all = 0;
    const auto expect = [&](std::size_t i, layout::SavedElements layout::BlockMemory::*when) {
      const auto& block = *chunk.blocks()[i];
      if (kind_of(block) == BlockKind::kFeedForward && model.experts > 0)
        shape.expert_rows = rows_of(saved[i]);
      const auto declared = layout::block_memory(model, kind_of(block), shape);
      EXPECT_EQ(bytes_held({saved[i]}), (declared.*when).bytes(each)) << block.name();
      all += (declared.*when).bytes(each);
    };

    auto x = batch_of(model, kSequences, shape.length, 1).inputs;
    for (std::size_t i = 0; i < saved.size(); ++i) {
      x = chunk.blocks()[i]->forward(x, saved[i]);
      expect(i, &layout::BlockMemory::after_forward);
    }
    EXPECT_EQ(bytes_held(saved), all);
    const bool even = model.experts == 0 || GetParam().expert == 1;
    const auto whole = layout::stage_memory(model, all_layers(model), shape, each);
    if (even) {
      EXPECT_EQ(bytes_held(saved, x), whole.saved);
    }
    all = 0;
    for (std::size_t i = saved.size(); i-- > 0;) {
      x = chunk.blocks()[i]->backward_input(x, saved[i]);
      expect(i, &layout::BlockMemory::after_backward_input);
    }
    EXPECT_EQ(bytes_held(saved), all);
    if (even) {
      EXPECT_EQ(bytes_held(saved), whole.for_weight);
    }
  }

  // That have come to the experts of this rank, which keep gate and up of each side by side.
  std::int64_t rows_of(const parallel::Saved& saved) const {
    std::int64_t rows = 0;
    for (const auto& tensor : saved)
      if (tensor.defined() && tensor.dim() == 2 &&
          tensor.size(1) == 2 * layout::expert_width(job_.model))
        rows += tensor.size(0);
    return rows;
  }

  parallel::AxisGroups groups(const std::shared_ptr<comm::Group>& all) const {
    const auto exchange = GetParam().exchange == std::string("ulysses")
                              ? parallel::ContextExchange::kHeads
                              : parallel::ContextExchange::kRing;
    const auto along = [&](int ranks) { return ranks > 1 ? all : nullptr; };
    return {along(GetParam().tensor), along(GetParam().context), along(GetParam().expert),
            exchange};
  }

  config::Job job_;
};

TEST_P(SavedBytes, AreWhatTheLayoutDeclares) {
  const int ranks = GetParam().ranks();
  if (ranks == 1) return expect_what_is_declared(0, {});
  on_ranks(std::vector<int>(static_cast<std::size_t>(ranks), 0), 16 << 20,
           [&](const std::shared_ptr<comm::Group>& group) {
             expect_what_is_declared(group->rank(), groups(group));
           });
}

INSTANTIATE_TEST_SUITE_P(
    Blocks, SavedBytes,
    testing::Values(Case{"llama", "fp32"}, Case{"llama", "bf16"}, Case{"llama", "fp64", 1, 2},
                    Case{"llama", "fp32", 2}, Case{"llama", "bf16", 4, 2},
                    Case{"llama", "fp64", 2, 1}, Case{"gpt2", "fp32"}, Case{"gpt2", "bf16"},
                    Case{"gpt2", "fp64", 2}, Case{"gpt2", "bf16", 4},
                    Case{"llama", "bf16", 1, 2, 1, 2}, Case{"llama", "fp32", 1, 2, 1, 2, "ulysses"},
                    Case{"gpt2", "bf16", 1, 4, 1, 4, "ulysses"},
                    Case{"llama", "fp64", 1, 2, 1, 4, "ulysses"}, Case{"mixtral", "fp32"},
                    Case{"mixtral", "bf16", 2}, Case{"qwen_moe", "fp64", 2},
                    Case{"qwen_moe", "bf16"}, Case{"mixtral", "fp32", 1, 2, 2},
                    Case{"qwen_moe", "bf16", 1, 2, 4}));

}  // namespace
}  // namespace phalanx::model
