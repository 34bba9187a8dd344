#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace phalanx::comm {

// Names groups so that all their members call them the same, without a word between them: by the
// members and how many groups of the same members there were before, as members make their common
// groups in the same order. Keys are even and never 0, for connections to be named after them: 0
// and odd numbers are free for others.
class GroupKeys {
 public:
  // The key of the next group of these generation ranks.
  std::uint64_t next(const std::vector<int>& ranks);

 private:
  std::map<std::vector<int>, int> made_;
};

}  // namespace phalanx::comm
