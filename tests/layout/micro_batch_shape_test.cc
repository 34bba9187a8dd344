#include "layout/micro_batch_shape.h"

#include <gtest/gtest.h>

namespace phalanx::layout {
namespace {

// 8 sequences of 96 tokens a micro-batch.
config::Job job_of_experts() {
  config::Job job;
  job.model.sequence_length = 96;
  job.train.global_batch = 64;
  job.train.micro_batch = 8;
  return job;
}

std::int64_t chunks(const config::Job& job, const MeshSizes& mesh) {
  return micro_batch_shape(job, mesh).expert_chunks;
}

TEST(MicroBatchShape, SendsNoMoreTokensToExpertsAtATimeThanTheJobSays) {
  auto job = job_of_experts();
  for (const std::int64_t most : {1, 7, 100, 767, 768, 100000})
    for (const int tensor : {1, 2})
      for (const int context : {1, 2}) {
        job.parallel.expert_chunk_tokens = most;
        const MeshSizes mesh{.data = 4, .context = context, .tensor = tensor};
        const auto shape = micro_batch_shape(job, mesh);
        EXPECT_EQ(shape.own_tokens(), 8 * 96 / tensor / context);
        EXPECT_LE((shape.own_tokens() + shape.expert_chunks - 1) / shape.expert_chunks, most);
        EXPECT_LE(shape.expert_chunks, std::max<std::int64_t>(4, shape.own_tokens() / most + 1));
      }
}

TEST(MicroBatchShape, SendsEnoughTokensInSeveralChunksThatHideEachOther) {
  auto job = job_of_experts();
  EXPECT_EQ(chunks(job, {.data = 4}), 4);
  job.train.micro_batch = 2;  // 192 tokens
  EXPECT_EQ(chunks(job, {.data = 4}), 3);
  job.model.sequence_length = 24;
  EXPECT_EQ(chunks(job, {.data = 4}), 1);
}

// No more sequences than the data ranks have.
TEST(MicroBatchShape, IsOfTheSequencesThatThereAre) {
  auto job = job_of_experts();
  job.train.global_batch = 10;
  EXPECT_EQ(micro_batch_shape(job, {.data = 4}).sequences, 3);
  EXPECT_EQ(micro_batch_shape(job, {.data = 1}).sequences, 8);
}

}  // namespace
}  // namespace phalanx::layout
