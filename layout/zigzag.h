#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace phalanx::layout {

// Positions that follow each other.
struct PositionRange {
  std::int64_t first = 0, length = 0;

  bool operator==(const PositionRange&) const = default;
};

// The zigzag split of sequences over `ranks` context ranks: of 2 * ranks equal pieces, rank c holds
// piece c and piece 2 * ranks - 1 - c, in this order, so that causal attention is the same work for
// all (Zhu 2024, "ring-flash-attention"; after Brandon et al. 2023, "Striped Attention"). 2 * ranks
// divides `length`; one rank holds any length.
enum class Piece : std::uint8_t { kEarly, kLate };
std::array<PositionRange, 2> zigzag_pieces(std::int64_t length, int ranks, int rank);

// The positions that `rank` holds, in the order in which it holds them.
std::vector<std::int64_t> zigzag_positions(std::int64_t length, int ranks, int rank);

// Which pieces of a rank's queries see which pieces of a rank's keys: the same number of whole
// pairs for any two ranks, and for a rank with itself one whole and two halves.
struct PiecePair {
  Piece query, key;

  bool operator==(const PiecePair&) const = default;
};
std::vector<PiecePair> visible_pairs(int query_rank, int key_rank);

}  // namespace phalanx::layout
