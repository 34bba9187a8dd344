#include "layout/zigzag.h"

#include "base/check.h"

namespace phalanx::layout {

std::array<PositionRange, 2> zigzag_pieces(std::int64_t length, int ranks, int rank) {
  check(0 <= rank && rank < ranks && (ranks == 1 || length % (2 * ranks) == 0),
        "zigzag: expected sequences of 2 * ranks equal pieces");
  const auto piece = [&](std::int64_t i) {
    const auto first = i * length / (2 * ranks), end = (i + 1) * length / (2 * ranks);
    return PositionRange{first, end - first};
  };
  return {piece(rank), piece(2 * ranks - 1 - rank)};
}

std::vector<std::int64_t> zigzag_positions(std::int64_t length, int ranks, int rank) {
  std::vector<std::int64_t> positions;
  for (const auto& run : zigzag_pieces(length, ranks, rank))
    for (std::int64_t i = 0; i < run.length; ++i) positions.push_back(run.first + i);
  return positions;
}

std::vector<PiecePair> visible_pairs(int query_rank, int key_rank) {
  using enum Piece;
  if (key_rank == query_rank) return {{kEarly, kEarly}, {kLate, kEarly}, {kLate, kLate}};
  if (key_rank < query_rank) return {{kEarly, kEarly}, {kLate, kEarly}};
  return {{kLate, kEarly}, {kLate, kLate}};
}

}  // namespace phalanx::layout
