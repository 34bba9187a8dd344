#include "runtime/training_data.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <numeric>

namespace phalanx::runtime {
namespace {

data::Batches open(const config::Job& job, const std::string& path) {
  data::TokenFile file(path);
  file.require_tokenizer(*data::make_tokenizer(job.data.tokenizer));
  data::Batches batches(std::move(file), job.model.sequence_length, job.seed);
  if (job.data.attention_mask == "document") batches.read_documents();
  return batches;
}

}  // namespace

TrainingData::TrainingData(const config::Job& job)
    : job_(job), train_(open(job, job.data.train.front().path)) {
  if (!job.data.validation.path.empty()) validation_ = open(job, job.data.validation.path);
}

NumberedMicroBatches TrainingData::step(std::int64_t cursor, int ranks, int rank) const {
  const auto share = data::share(job_.train.global_batch, ranks, rank);
  return cut(train_,
             train_.sampler().samples(static_cast<std::uint64_t>(cursor + share.first),
                                      static_cast<std::uint64_t>(share.count)),
             data::share(job_.train.global_batch, ranks, 0).count);
}

NumberedMicroBatches TrainingData::validation(int ranks, int rank) const {
  const auto available = static_cast<std::int64_t>(validation_->sequence_count());
  const auto wanted = std::min(job_.data.validation.batches * job_.train.global_batch, available);
  const auto share = data::share(wanted, ranks, rank);
  std::vector<std::uint64_t> sequences(static_cast<std::size_t>(share.count));
  std::iota(sequences.begin(), sequences.end(), static_cast<std::uint64_t>(share.first));
  return cut(*validation_, sequences, data::share(wanted, ranks, 0).count);
}

NumberedMicroBatches TrainingData::cut(const data::Batches& batches,
                                       std::span<const std::uint64_t> sequences,
                                       std::int64_t most) const {
  const std::int64_t length = job_.model.sequence_length;
  NumberedMicroBatches result;
  for (const auto& part :
       data::micro_batches({0, std::ssize(sequences)}, job_.train.micro_batch, most)) {
    const auto ids = sequences.subspan(static_cast<std::size_t>(part.first),
                                       static_cast<std::size_t>(part.count));
    parallel::MicroBatch batch{at::empty({part.count, length}, at::kLong),
                               at::empty({part.count, length}, at::kLong)};
    const auto elements = static_cast<std::size_t>(part.count * length);
    batches.fill(ids, {batch.inputs.data_ptr<std::int64_t>(), elements},
                 {batch.targets.data_ptr<std::int64_t>(), elements});
    if (batches.knows_documents()) {
      batch.first_visible = at::empty({part.count, length}, at::kLong);
      batches.fill_first_visible(ids, {batch.first_visible.data_ptr<std::int64_t>(), elements});
    }
    result.tensors.push_back(std::move(batch));
    result.sequences.emplace_back(ids.begin(), ids.end());
  }
  return result;
}

}  // namespace phalanx::runtime
