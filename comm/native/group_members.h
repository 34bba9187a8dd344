#pragma once

#include <vector>

#include "comm/native/placement.h"

namespace phalanx::comm {

// Who belongs to a group, and where they sit.
struct GroupMembers {
  int rank = 0;            // ours in the group
  std::vector<int> ranks;  // generation ranks by group rank
  Placement placement;

  int size() const { return static_cast<int>(ranks.size()); }
  int generation_rank(int group_rank) const { return ranks[static_cast<std::size_t>(group_rank)]; }
  // Generation ranks of a node's members.
  std::vector<int> on_node(int node) const {
    std::vector<int> found;
    for (const int member : placement.nodes[static_cast<std::size_t>(node)])
      found.push_back(generation_rank(member));
    return found;
  }
};

}  // namespace phalanx::comm
