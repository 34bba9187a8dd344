#pragma once

#include <cstdint>
#include <span>

#include "data/token_file.h"

// How sequences of length L lie in a token file: sequence i is the tokens [i * L, i * L + L + 1) of
// the stream of all documents; its inputs are the first L, its targets the last L. Neighbours share
// one token, so that every token but the first is a target once; what is left behind the last whole
// sequence is not used.
namespace phalanx::data {

constexpr std::uint64_t sequence_count(std::uint64_t tokens, std::int64_t sequence_length) {
  return tokens == 0 ? 0 : (tokens - 1) / static_cast<std::uint64_t>(sequence_length);
}

constexpr std::uint64_t first_token(std::uint64_t sequence, std::int64_t sequence_length) {
  return sequence * static_cast<std::uint64_t>(sequence_length);
}

// Where the document of each of the tokens from `begin` on begins, counted from `begin`; 0 where
// that is before it. Document d is the tokens [document_starts[d], document_starts[d + 1]), as
// TokenFile::document_starts() says, and has all of these tokens among them.
void first_visible(std::span<const std::uint64_t> document_starts, std::uint64_t begin,
                   std::span<std::int64_t> positions);

// The number of sequences in `file`. Throws DataError when there is none.
std::uint64_t require_sequences(const TokenFile& file, std::int64_t sequence_length);

}  // namespace phalanx::data
