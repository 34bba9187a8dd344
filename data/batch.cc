#include "data/batch.h"

#include <algorithm>

#include "base/check.h"
#include "data/packing.h"

namespace phalanx::data {

RankBatch share(std::int64_t global_batch, std::int64_t ranks, std::int64_t rank) {
  check(global_batch >= 0 && 0 <= rank && rank < ranks, "a share of a rank among the ranks");
  const std::int64_t each = global_batch / ranks, more = global_batch % ranks;
  return {rank * each + std::min(rank, more), each + (rank < more ? 1 : 0)};
}

std::vector<RankBatch> micro_batches(const RankBatch& share, std::int64_t micro_batch,
                                     std::int64_t most) {
  check(micro_batch >= 1 && share.count <= most, "a micro-batch has at least one sample");
  std::vector<RankBatch> parts;
  for (std::int64_t first = 0; first < most; first += micro_batch) {
    const auto done = std::min(first, share.count);
    parts.push_back({share.first + done, std::min(micro_batch, share.count - done)});
  }
  return parts;
}

Batches::Batches(TokenFile file, std::int64_t sequence_length, std::uint64_t seed)
    : file_(std::move(file)),
      sequence_length_(sequence_length),
      sampler_(seed, require_sequences(file_, sequence_length)) {}

void Batches::fill(std::span<const std::uint64_t> sequences, std::span<std::int64_t> inputs,
                   std::span<std::int64_t> targets) const {
  const auto length = static_cast<std::size_t>(sequence_length_);
  check(inputs.size() == sequences.size() * length && targets.size() == inputs.size(),
        "buffers of the batch's size");
  for (std::size_t row = 0; row < sequences.size(); ++row) {
    check(sequences[row] < sequence_count(), "a sequence of the file");
    const std::uint64_t begin = first_token(sequences[row], sequence_length_);
    file_.copy_tokens(begin, inputs.subspan(row * length, length));
    file_.copy_tokens(begin + 1, targets.subspan(row * length, length));
  }
}

void Batches::fill_first_visible(std::span<const std::uint64_t> sequences,
                                 std::span<std::int64_t> positions) const {
  const auto length = static_cast<std::size_t>(sequence_length_);
  check(knows_documents() && positions.size() == sequences.size() * length,
        "a buffer of the batch's size, and documents that are known");
  for (std::size_t row = 0; row < sequences.size(); ++row)
    first_visible(document_starts_, first_token(sequences[row], sequence_length_),
                  positions.subspan(row * length, length));
}

}  // namespace phalanx::data
