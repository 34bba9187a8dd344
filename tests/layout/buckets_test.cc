#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <set>

#include "layout/partition.h"
#include "layout/registered_memory.h"

namespace phalanx::layout {
namespace {

config::Job job(const char* preset, const config::Parallel& parallel, std::int64_t ranks) {
  config::Job job;
  job.model = {preset, 5, 24, 4, preset == std::string("gpt2") ? 4 : 2, 40, 16, 101};
  if (preset == std::string("mixtral") || preset == std::string("qwen_moe")) {
    job.model.experts = 4;
    job.model.experts_per_token = 2;
    job.model.expert_width = preset == std::string("qwen_moe") ? 24 : 0;
  }
  job.parallel = parallel;
  job.launch.ranks_per_node = ranks;
  return job;
}

struct Case {
  const char* preset;
  std::int64_t data, tensor, pipeline, context, zero_stage;
  const char* schedule;
  std::int64_t virtual_stages;
  std::int64_t expert = 1;

  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << c.preset << " data " << c.data << " tensor " << c.tensor << " pipeline "
               << c.pipeline << " context " << c.context << " zero " << c.zero_stage << ' '
               << c.schedule << " expert " << c.expert;
  }
};
const Case kCases[] = {
    {"llama", 1, 1, 1, 1, 0, "1f1b", 1},       {"llama", 3, 1, 1, 1, 3, "1f1b", 1},
    {"llama", 2, 2, 1, 1, 0, "1f1b", 1},       {"llama", 2, 4, 1, 1, 0, "1f1b", 1},
    {"llama", 2, 2, 3, 2, 1, "1f1b", 1},       {"llama", 1, 1, 3, 1, 0, "zb_v", 2},
    {"gpt2", 2, 2, 2, 1, 0, "1f1b", 1},        {"gpt2", 2, 1, 2, 1, 3, "dualpipe_v", 2},
    {"gpt2", 1, 4, 2, 2, 2, "zb_h1", 1},       {"gpt2", 3, 1, 1, 1, 0, "1f1b", 1},
    {"mixtral", 2, 1, 1, 1, 0, "1f1b", 1, 2},  {"mixtral", 2, 2, 2, 2, 1, "zb_v", 2, 2},
    {"qwen_moe", 4, 1, 2, 1, 3, "1f1b", 1, 2}, {"qwen_moe", 2, 4, 1, 2, 2, "1f1b", 1, 4},
};

class Buckets : public testing::TestWithParam<Case> {
 protected:
  Buckets() {
    const auto& c = GetParam();
    config::Parallel parallel;
    parallel.tensor = c.tensor;
    parallel.pipeline = c.pipeline;
    parallel.context = c.context;
    parallel.expert = c.expert;
    parallel.zero_stage = c.zero_stage;
    parallel.schedule = c.schedule;
    parallel.virtual_stages = c.virtual_stages;
    job_ = job(c.preset, parallel, c.data * c.tensor * c.pipeline * c.context);
    const auto partition = layout::partition(job_);
    for (int rank = 0; rank < partition.mesh.ranks(); ++rank)
      all_.push_back(buckets(job_.model, partition, rank, 4000));
  }

  config::Job job_;
  std::vector<std::vector<Bucket>> all_;  // by rank
};

TEST_P(Buckets, GiveEveryElementOfTheModelOneOwner) {
  std::map<std::string, std::vector<int>> owners;
  std::map<std::string, TensorSpec> specs;
  for (const auto& spec : tensor_specs(job_.model)) {
    owners[spec.name].resize(static_cast<std::size_t>(spec.elements()));
    specs[spec.name] = spec;
  }
  for (int rank = 0; rank < static_cast<int>(all_.size()); ++rank)
    for (const auto& bucket : all_[static_cast<std::size_t>(rank)]) {
      const auto index = std::ranges::find(bucket.replicas, rank) - bucket.replicas.begin();
      ASSERT_EQ(bucket.flat.elements % (16 * std::ssize(bucket.replicas)), 0);
      for (const auto& [region, offset] :
           regions_between(bucket, index * bucket.slice(), (index + 1) * bucket.slice())) {
        const auto columns = region.extent.size() > 1 ? region.extent[1] : 1;
        const auto width = region.extent.size() > 1 ? specs[region.tensor].shape[1] : 1;
        const auto first = region.extent.size() > 1 ? region.offset[1] : 0;
        for (std::int64_t row = 0; row < region.extent[0]; ++row)
          for (std::int64_t column = 0; column < columns; ++column)
            ++owners[region.tensor].at(
                static_cast<std::size_t>((region.offset[0] + row) * width + first + column));
      }
    }
  for (const auto& [tensor, counts] : owners)
    EXPECT_EQ(std::ranges::count(counts, 1), std::ssize(counts)) << tensor;
}

// Otherwise replicas would sum gradients of different tensors, or wait for each other.
TEST_P(Buckets, AreTheSameInTheSameOrderOnAllTheirReplicas) {
  const auto of = [&](int rank, const std::vector<int>& replicas) {
    std::vector<std::vector<Region>> found;
    for (const auto& bucket : all_[static_cast<std::size_t>(rank)])
      if (bucket.replicas == replicas) found.push_back(bucket.regions);
    return found;
  };
  for (int rank = 0; rank < static_cast<int>(all_.size()); ++rank)
    for (const auto& bucket : all_[static_cast<std::size_t>(rank)]) {
      EXPECT_TRUE(std::ranges::count(bucket.replicas, rank) == 1);
      for (const int replica : bucket.replicas)
        EXPECT_EQ(of(replica, bucket.replicas), of(rank, bucket.replicas));
    }
}

TEST_P(Buckets, HoldMatricesOrVectorsOfOneChunkAndCompleteLastTensorsFirst) {
  for (const auto& buckets : all_)
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      for (const auto& tensor : buckets[i].tensors)
        EXPECT_EQ(tensor.shape.size(), buckets[i].tensors.front().shape.size());
      EXPECT_LE(buckets[i].chunk, buckets[i == 0 ? 0 : i - 1].chunk);
      for (std::size_t t = 0; t < buckets[i].held.size(); ++t)
        if (buckets[i].held[t].joined) {
          EXPECT_EQ(buckets[i].flat.offsets[t],
                    buckets[i].flat.offsets[t - 1] + buckets[i].held[t - 1].elements());
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Layouts, Buckets, testing::ValuesIn(kCases));

// Two tensor ranks share the only key head that their queries see; its gradient is theirs to sum.
TEST(Replicas, OfKeyAndValueAreNeighboursWhereRanksOutnumberHeads) {
  config::Parallel parallel;
  parallel.tensor = 4;
  const auto small = job("llama", parallel, 8);
  const auto held = buckets(small.model, partition(small), 6, 1 << 20);
  for (const auto& bucket : held)
    for (std::size_t i = 0; i < bucket.tensors.size(); ++i) {
      const auto& name = bucket.tensors[i].name;
      if (name.ends_with("key.weight")) {
        EXPECT_EQ(bucket.replicas, (std::vector<int>{2, 3, 6, 7}));
        EXPECT_EQ(bucket.regions[i].offset[0], 6);
        EXPECT_FALSE(bucket.held[i].joined);
      }
      if (name.ends_with("query.weight")) {
        EXPECT_EQ(bucket.replicas, (std::vector<int>{2, 6}));
      }
      if (name.ends_with("norm.weight")) {
        EXPECT_EQ(bucket.replicas, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
      }
    }
}

TEST(Replicas, OfAnExpertAreTheRanksThatHaveIt) {
  config::Parallel parallel;
  parallel.tensor = parallel.expert = 2;
  const auto small = job("mixtral", parallel, 8);
  std::set<std::int64_t> experts;
  for (const auto& bucket : buckets(small.model, partition(small), 3, 1 << 20))
    for (const auto& tensor : bucket.tensors) {
      if (tensor.expert < 0) continue;
      experts.insert(tensor.expert);
      EXPECT_EQ(bucket.replicas, (std::vector<int>{2, 3, 6, 7})) << tensor.name;
    }
  EXPECT_EQ(experts, (std::set<std::int64_t>{2, 3}));
}

TEST(Replicas, OfATiedEmbeddingAreOnTheFirstAndTheLastStage) {
  config::Parallel parallel;
  parallel.pipeline = 3;
  const auto small = job("gpt2", parallel, 6);
  for (const int rank : {0, 5}) {
    const auto held = buckets(small.model, partition(small), rank, 1 << 20);
    const auto tied = std::ranges::find_if(held, [](const Bucket& bucket) {
      return bucket.tensors.front().name == "embedding.weight";
    });
    ASSERT_NE(tied, held.end());
    EXPECT_EQ(tied->replicas, (std::vector<int>{0, 1, 4, 5}));
  }
}

TEST(RegisteredMemory, HoldsGradientsInTheTypeInWhichTheyTravelThatOfVectorsIsWide) {
  auto small = job("llama", {}, 1);
  const auto wide = registered_bytes(small);
  small.parallel.gradient_wire = "bf16";
  std::int64_t elements = 0;
  for (const auto& bucket : buckets(small.model, partition(small), 0, 4 << 20))
    if (bucket.holds_matrices()) elements += bucket.flat.elements;
  EXPECT_EQ(wide - registered_bytes(small), static_cast<std::uint64_t>(2 * elements));
}

}  // namespace
}  // namespace phalanx::layout
