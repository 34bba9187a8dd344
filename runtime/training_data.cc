#include "runtime/training_data.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <numeric>

namespace phalanx::runtime {
namespace {

data::Batches open(const config::Job& job, const std::string& path) {
  data::TokenFile file(path);
  file.require_tokenizer(*data::make_tokenizer(job.data.tokenizer));
  return {std::move(file), job.model.sequence_length, job.seed};
}

}  // namespace

TrainingData::TrainingData(const config::Job& job)
    : job_(job), train_(open(job, job.data.train.front().path)) {
  if (!job.data.validation.path.empty()) validation_ = open(job, job.data.validation.path);
}

std::vector<NumberedMicroBatch> TrainingData::step(std::int64_t cursor, int ranks, int rank) const {
  const auto share = data::share(job_.train.global_batch, ranks, rank);
  return cut(train_, train_.sampler().samples(static_cast<std::uint64_t>(cursor + share.first),
                                              static_cast<std::uint64_t>(share.count)));
}

std::vector<NumberedMicroBatch> TrainingData::validation(int ranks, int rank) const {
  const auto available = static_cast<std::int64_t>(validation_->sequence_count());
  const auto share = data::share(
      std::min(job_.data.validation.batches * job_.train.global_batch, available), ranks, rank);
  std::vector<std::uint64_t> sequences(static_cast<std::size_t>(share.count));
  std::iota(sequences.begin(), sequences.end(), static_cast<std::uint64_t>(share.first));
  return cut(*validation_, sequences);
}

std::vector<NumberedMicroBatch> TrainingData::cut(const data::Batches& batches,
                                                  std::span<const std::uint64_t> sequences) const {
  const std::int64_t length = job_.model.sequence_length;
  std::vector<NumberedMicroBatch> result;
  const auto total = static_cast<std::int64_t>(sequences.size());
  for (const auto& part : data::micro_batches({0, total}, job_.train.micro_batch)) {
    const auto ids = sequences.subspan(static_cast<std::size_t>(part.first),
                                       static_cast<std::size_t>(part.count));
    NumberedMicroBatch batch;
    batch.sequences.assign(ids.begin(), ids.end());
    batch.tensors.inputs = at::empty({part.count, length}, at::kLong);
    batch.tensors.targets = at::empty({part.count, length}, at::kLong);
    const auto elements = static_cast<std::size_t>(part.count * length);
    batches.fill(ids, {batch.tensors.inputs.data_ptr<std::int64_t>(), elements},
                 {batch.tensors.targets.data_ptr<std::int64_t>(), elements});
    result.push_back(std::move(batch));
  }
  return result;
}

}  // namespace phalanx::runtime
