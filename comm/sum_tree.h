#pragma once

#include <span>
#include <vector>

namespace phalanx::comm {

// The order of every reduction: a binary tree over group ranks. A tree over n ranks has as its left
// subtree the largest power of two below n. docs/communication.md explains why.

// The ranks [begin, end) under one node of the tree.
struct Subtree {
  int begin = 0;
  int end = 0;
  int size() const { return end - begin; }
  friend bool operator==(const Subtree&, const Subtree&) = default;
};

// Where the left subtree of `tree` (of at least two ranks) ends.
int left_end(Subtree tree);

// The largest subtrees of the tree over [0, ranks) whose ranks are all among `here` (ascending),
// from left to right: what a node may reduce beforehand without changing a bit of the result.
std::vector<Subtree> whole_subtrees(std::span<const int> here, int ranks);

}  // namespace phalanx::comm
