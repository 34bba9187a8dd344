#include "comm/sum_tree.h"

#include <algorithm>
#include <bit>

namespace phalanx::comm {
namespace {

// `here`: the ranks of `tree` that are here.
void collect(std::span<const int> here, Subtree tree, std::vector<Subtree>& found) {
  if (here.empty()) return;
  if (static_cast<int>(here.size()) == tree.size()) {
    found.push_back(tree);
    return;
  }
  const int middle = left_end(tree);
  const auto left = static_cast<std::size_t>(std::ranges::lower_bound(here, middle) - here.begin());
  collect(here.first(left), {tree.begin, middle}, found);
  collect(here.subspan(left), {middle, tree.end}, found);
}

}  // namespace

int left_end(Subtree tree) {
  const auto below = static_cast<unsigned>(tree.size() - 1);
  return tree.begin + static_cast<int>(std::bit_floor(below));
}

std::vector<Subtree> whole_subtrees(std::span<const int> here, int ranks) {
  std::vector<Subtree> found;
  collect(here, {0, ranks}, found);
  return found;
}

}  // namespace phalanx::comm
