#pragma once

#include <cstdint>
#include <string>

#include "comm/group.h"

namespace phalanx::comm {

// What all members of a group must agree on when they start a collective.
struct Signature {
  std::uint32_t operation = 0;
  std::uint32_t reduction = 0;
  std::uint32_t type = 0;
  std::int32_t root = 0;  // group rank
  std::uint64_t sequence = 0;
  std::uint64_t count = 0;  // elements of a slice
  friend bool operator==(const Signature&, const Signature&) = default;
};

std::string describe(const Signature& signature);

// Throws Ending{kMismatch, rank} unless both are the same.
void expect_same(const Signature& expected, const Signature& found, int rank);

}  // namespace phalanx::comm
