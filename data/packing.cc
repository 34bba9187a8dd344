#include "data/packing.h"

#include <fmt/format.h>

#include "base/check.h"

namespace phalanx::data {

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
