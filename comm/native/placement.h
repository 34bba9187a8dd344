#pragma once

#include <cstddef>
#include <vector>

#include "comm/sum_tree.h"

namespace phalanx::comm {

// Where the members of a group sit, and how work is shared among them because of it. Pure.
struct Placement {
  std::vector<std::vector<int>> nodes;  // group ranks by node, in the order of their lowest
  int node = 0;                         // ours
  int local = 0;                        // our place among nodes[node]

  int members() const { return static_cast<int>(nodes[static_cast<std::size_t>(node)].size()); }
  bool one_node() const { return nodes.size() == 1; }
  // As many ranks of every node as all nodes have: the ranks of one lane exchange data by TCP.
  int lanes() const;
};

// `node_of[r]`: the node of group rank r.
Placement place(const std::vector<int>& node_of, int rank);

// What each node sums beforehand, as Placement::nodes.
std::vector<std::vector<Subtree>> subtrees_of_nodes(const Placement& placement);

// Elements [begin, end) of a slice.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t size() const { return end - begin; }
};

// Piece `index` of `pieces` nearly equal ones, cut between cache lines.
Range piece(Range whole, int index, int pieces);

}  // namespace phalanx::comm
