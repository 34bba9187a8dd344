// Every block keeps what layout/saved_bytes.h declares, to the byte.
#include "layout/saved_bytes.h"

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <set>

#include "layout/partition.h"
#include "parallel/vocabulary.h"
#include "tests/kernels/tensors.h"
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

  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << c.preset << ' ' << c.precision << " tensor " << c.tensor << " kv " << c.kv_heads;
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
    const auto& [preset, precision, tensor, kv_heads] = GetParam();
    job_.model = {preset, 2, 16, 4, kv_heads, 24, 8, 101};
    job_.train.precision = precision;
    job_.parallel.tensor = tensor;
    job_.launch.ranks_per_node = tensor;
  }

  at::ScalarType type(std::int64_t bytes) const {
    return bytes == 2 ? at::kBFloat16 : bytes == 8 ? at::kDouble : at::kFloat;
  }

  // As the rank holds them.
  parallel::Parameters parameters(int rank) const {
    const auto each = layout::element_bytes(job_);
    parallel::Parameters parameters;
    for (const auto& bucket : layout::buckets(job_.model, layout::partition(job_), rank, 1 << 20)) {
      const bool matrices = bucket.tensors.front().shape.size() > 1;
      const auto flat =
          at::ones({bucket.flat.elements}, type(matrices ? each.values : each.sums)) * 0.1;
      const auto gradients = at::zeros({bucket.flat.elements}, type(each.sums));
      for (std::size_t i = 0; i < bucket.held.size(); ++i) {
        const auto view = [&](const at::Tensor& all) {
          return all.narrow(0, bucket.flat.offsets[i], bucket.held[i].elements())
              .view(bucket.held[i].shape);
        };
        parameters[bucket.tensors[i].name] = {view(flat), view(gradients)};
      }
    }
    return parameters;
  }

  void expect_what_is_declared(int rank, const parallel::AxisGroups& groups) const {
    const auto each = layout::element_bytes(job_);
    const auto& model = job_.model;
    const layout::MicroBatchShape shape{kSequences, model.sequence_length, GetParam().tensor, rank};
    const auto whole = layout::stage_memory(model, all_layers(model), shape, each);
    const auto chunk = make_chunk(model, all_layers(model), parameters(rank), groups);
    std::vector<parallel::Saved> saved(chunk.blocks().size());
    const auto expect = [&](std::size_t i, layout::SavedElements layout::BlockMemory::*when) {
      const auto declared = layout::block_memory(model, kind_of(*chunk.blocks()[i]), shape);
      EXPECT_EQ(bytes_held({saved[i]}), (declared.*when).bytes(each)) << chunk.blocks()[i]->name();
    };

    auto x = batch_of(model, kSequences, model.sequence_length, 1).inputs;
    for (std::size_t i = 0; i < saved.size(); ++i) {
      x = chunk.blocks()[i]->forward(x, saved[i]);
      expect(i, &layout::BlockMemory::after_forward);
    }
    EXPECT_EQ(bytes_held(saved, x), whole.saved);
    for (std::size_t i = saved.size(); i-- > 0;) {
      x = chunk.blocks()[i]->backward_input(x, saved[i]);
      expect(i, &layout::BlockMemory::after_backward_input);
    }
    EXPECT_EQ(bytes_held(saved), whole.for_weight);
  }

  config::Job job_;
};

TEST_P(SavedBytes, AreWhatTheLayoutDeclares) {
  const int ranks = GetParam().tensor;
  if (ranks == 1) return expect_what_is_declared(0, {});
  on_ranks(std::vector<int>(static_cast<std::size_t>(ranks), 0), 16 << 20,
           [&](const std::shared_ptr<comm::Group>& group) {
             expect_what_is_declared(group->rank(), {group, nullptr, nullptr, {}});
           });
}

INSTANTIATE_TEST_SUITE_P(Blocks, SavedBytes,
                         testing::Values(Case{"llama", "fp32"}, Case{"llama", "bf16"},
                                         Case{"llama", "fp64", 1, 2}, Case{"llama", "fp32", 2},
                                         Case{"llama", "bf16", 4, 2}, Case{"llama", "fp64", 2, 1},
                                         Case{"gpt2", "fp32"}, Case{"gpt2", "bf16"},
                                         Case{"gpt2", "fp64", 2}, Case{"gpt2", "bf16", 4}));

}  // namespace
}  // namespace phalanx::model
