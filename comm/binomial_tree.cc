#include "comm/binomial_tree.h"

#include <bit>

namespace phalanx::comm {

std::optional<int> binomial_parent(int rank) {
  if (rank == 0) return std::nullopt;
  return rank & (rank - 1);
}

std::vector<int> binomial_children(int rank, int size) {
  const unsigned limit = rank == 0 ? std::bit_ceil(static_cast<unsigned>(size))
                                   : 1u << std::countr_zero(static_cast<unsigned>(rank));
  std::vector<int> children;
  for (unsigned step = limit / 2; step > 0; step /= 2)
    if (rank + static_cast<int>(step) < size) children.push_back(rank + static_cast<int>(step));
  return children;
}

}  // namespace phalanx::comm
