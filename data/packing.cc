#include "data/packing.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace phalanx::data {

void first_visible(std::span<const std::uint64_t> document_starts, std::uint64_t begin,
                   std::span<std::int64_t> positions) {
  check(begin + positions.size() <= document_starts.back(), "tokens of some document");
  auto next = std::ranges::upper_bound(document_starts, begin);
  std::int64_t first = 0;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    for (; next != document_starts.end() && *next == begin + i; ++next)  // empty ones too
      first = static_cast<std::int64_t>(i);
    positions[i] = first;
  }
}

std::uint64_t require_sequences(const TokenFile& file, std::int64_t sequence_length) {
  check(sequence_length >= 1, "a sequence has at least one token");
  const std::uint64_t count = sequence_count(file.token_count(), sequence_length);
  if (count == 0)
    throw DataError(
        fmt::format("{}: expected at least {} tokens, for one sequence of length {} and "
                    "its last target, found {}",
                    file.path(), sequence_length + 1, sequence_length, file.token_count()),
        "prepare more text, or shorten model.sequence_length");
  return count;
}

}  // namespace phalanx::data
