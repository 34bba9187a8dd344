#pragma once

#include <optional>
#include <vector>

#include "config/job.h"
#include "data/batch.h"
#include "model/transformer.h"

namespace phalanx::runtime {

// A micro-batch and the sequences that it is made of.
struct NumberedMicroBatch {
  model::MicroBatch tensors;
  std::vector<std::uint64_t> sequences;
};

// The job's token files as a data-parallel rank's micro-batches. Throws DataError.
class TrainingData {
 public:
  explicit TrainingData(const config::Job& job);

  // Rank `rank` of `ranks`' part of the step whose first sample is `cursor`; may be empty.
  std::vector<NumberedMicroBatch> step(std::int64_t cursor, int ranks, int rank) const;

  bool has_validation() const { return validation_.has_value(); }
  // Its part of the validation: the first sequences of the file in their order, the same at every
  // step.
  std::vector<NumberedMicroBatch> validation(int ranks, int rank) const;

 private:
  std::vector<NumberedMicroBatch> cut(const data::Batches& batches,
                                      std::span<const std::uint64_t> sequences) const;

  config::Job job_;
  data::Batches train_;
  std::optional<data::Batches> validation_;
};

}  // namespace phalanx::runtime
