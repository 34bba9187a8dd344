#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/sampler.h"
#include "data/token_file.h"

namespace phalanx::data {

// Consecutive samples of a global batch.
struct RankBatch {
  std::int64_t first = 0;
  std::int64_t count = 0;
  bool operator==(const RankBatch&) const = default;
};

// What data-parallel rank `rank` of `ranks` takes of a global batch: the ranks' shares follow each
// other and differ by at most one sample; with more ranks than samples some get none.
RankBatch share(std::int64_t global_batch, std::int64_t ranks, std::int64_t rank);

// `share` cut, in order, into micro-batches of `micro_batch` samples, the last with what is left.
// There are as many as a share of `most` samples has, so that all ranks have the same number: those
// too many are empty.
std::vector<RankBatch> micro_batches(const RankBatch& share, std::int64_t micro_batch,
                                     std::int64_t most);

// The sequences of a token file as tensors' contents. Owns the file.
class Batches {
 public:
  // Throws DataError when the file is too short for one sequence.
  Batches(TokenFile file, std::int64_t sequence_length, std::uint64_t seed);

  const TokenFile& file() const { return file_; }
  const Sampler& sampler() const { return sampler_; }
  std::int64_t sequence_length() const { return sequence_length_; }
  std::uint64_t sequence_count() const { return sampler_.sequence_count(); }

  // Fills `inputs` and `targets`, each [sequences.size(), sequence_length] in row-major order, with
  // the given sequences (each below sequence_count()). Throws DataError for a token outside the
  // vocabulary.
  void fill(std::span<const std::uint64_t> sequences, std::span<std::int64_t> inputs,
            std::span<std::int64_t> targets) const;

  // Reads the file's table of documents, all of it once, for fill_first_visible(). Throws
  // DataError.
  void read_documents() { document_starts_ = file_.document_starts(); }
  bool knows_documents() const { return !document_starts_.empty(); }
  // Fills `positions` [sequences.size(), sequence_length] with the position at which the document
  // of each input begins in its sequence, 0 if before it (first_visible in data/packing.h).
  void fill_first_visible(std::span<const std::uint64_t> sequences,
                          std::span<std::int64_t> positions) const;

 private:
  TokenFile file_;
  std::span<const std::uint64_t> document_starts_;  // of the file; empty: not read
  std::int64_t sequence_length_;
  Sampler sampler_;
};

}  // namespace phalanx::data
