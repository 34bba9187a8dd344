#pragma once

#include <optional>
#include <vector>

#include "config/job.h"
#include "data/batch.h"
#include "parallel/schedule_executor.h"

namespace phalanx::runtime {

// A data-parallel rank's part of a step: as many micro-batches as any other's, the last of them
// smaller or without sequences.
struct NumberedMicroBatches {
  std::vector<parallel::MicroBatch> tensors;
  std::vector<std::vector<std::uint64_t>> sequences;  // that each is made of
};

// The job's token files as a data-parallel rank's micro-batches. Throws DataError.
class TrainingData {
 public:
  explicit TrainingData(const config::Job& job);

  // Rank `rank` of `ranks`' part of the step whose first sample is `cursor`.
  NumberedMicroBatches step(std::int64_t cursor, int ranks, int rank) const;

  // Whether micro-batches say where documents begin (data.attention_mask: document).
  bool tells_documents() const { return train_.knows_documents(); }
  bool has_validation() const { return validation_.has_value(); }
  // Its part of the validation: the first sequences of the file in their order, the same at every
  // step.
  NumberedMicroBatches validation(int ranks, int rank) const;

 private:
  // `most`: sequences of the rank that has the most.
  NumberedMicroBatches cut(const data::Batches& batches, std::span<const std::uint64_t> sequences,
                           std::int64_t most) const;

  config::Job job_;
  data::Batches train_;
  std::optional<data::Batches> validation_;
};

}  // namespace phalanx::runtime
