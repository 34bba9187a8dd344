#include "comm/native/placement.h"

#include <algorithm>
#include <map>

namespace phalanx::comm {

int Placement::lanes() const {
  const auto smaller = [](const auto& left, const auto& right) {
    return left.size() < right.size();
  };
  return static_cast<int>(std::min_element(nodes.begin(), nodes.end(), smaller)->size());
}

Placement place(const std::vector<int>& node_of, int rank) {
  Placement placement;
  std::map<int, std::size_t> index;
  for (int member = 0; member < static_cast<int>(node_of.size()); ++member) {
    const int node = node_of[static_cast<std::size_t>(member)];
    const auto [entry, first] = index.try_emplace(node, placement.nodes.size());
    if (first) placement.nodes.emplace_back();
    auto& members = placement.nodes[entry->second];
    if (member == rank) {
      placement.node = static_cast<int>(entry->second);
      placement.local = static_cast<int>(members.size());
    }
    members.push_back(member);
  }
  return placement;
}

std::vector<std::vector<Subtree>> subtrees_of_nodes(const Placement& placement) {
  std::size_t size = 0;
  for (const auto& members : placement.nodes) size += members.size();
  std::vector<std::vector<Subtree>> subtrees;
  for (const auto& members : placement.nodes)
    subtrees.push_back(whole_subtrees(members, static_cast<int>(size)));
  return subtrees;
}

Range piece(Range whole, int index, int pieces) {
  constexpr std::size_t kLine = 64;  // elements: whole cache lines, whatever their type
  const std::size_t lines = (whole.size() + kLine - 1) / kLine;
  const auto cut = [&](int at) {
    const std::size_t line =
        lines * static_cast<std::size_t>(at) / static_cast<std::size_t>(pieces);
    return std::min(whole.begin + line * kLine, whole.end);
  };
  return {cut(index), cut(index + 1)};
}

}  // namespace phalanx::comm
