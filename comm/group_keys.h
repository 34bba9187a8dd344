#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace phalanx::comm {

// Names groups so that all their members call them the same, without a word between them: by the
// members and how many groups of the same members there were before, as members make their common
// groups in the same order. Keys are multiples of 4 and never 0: the numbers above a key name the
// group's other channels, and 0 the control connections.
class GroupKeys {
 public:
  // The key of the next group of these generation ranks.
  std::uint64_t next(const std::vector<int>& ranks);

 private:
  std::map<std::vector<int>, int> made_;
};

}  // namespace phalanx::comm
