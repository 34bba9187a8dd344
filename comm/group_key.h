#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace phalanx::comm {

// Names a generation's groups for traces and connections: the same on all members of a group,
// because they make their common groups in the same order. A multiple of 4 and never 0, so that a
// backend can name a group's channels by the numbers above it.
class GroupKeys {
 public:
  // For the next group of these generation ranks.
  std::uint64_t next(const std::vector<int>& ranks);

 private:
  std::map<std::vector<int>, int> groups_of_;  // how many there are
};

}  // namespace phalanx::comm
