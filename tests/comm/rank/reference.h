#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "comm/backend.h"

namespace phalanx::comm {

// What the operations promise, computed the plain way. A long double (64 bits of fraction) holds
// every number of every element type.
using Numbers = std::vector<long double>;

// Numbers that an element of the type can be, whose sum depends on the order or wraps: of both
// signs and many binary orders of magnitude, integers of the whole range.
Numbers numbers(ElementType type, int rank, int salt, std::size_t count);

// The ranks' numbers reduced in the canonical order, accumulated as Group promises.
Numbers tree_reduction(Reduction reduction, ElementType type, int ranks, int salt,
                       std::size_t count);

// The bits of the elements nearest to them.
std::vector<std::byte> encode(ElementType type, const Numbers& numbers);
Numbers decode(ElementType type, const void* elements, std::size_t count);

// How far a sum may be off that is not made in the canonical order, for each element.
Numbers tolerance(ElementType type, int ranks, int salt, std::size_t count);

// Empty if the elements found are these, or no farther off than `slack` (none: the same bits);
// else where they differ first.
std::string difference(ElementType type, const Numbers& expected, const void* found,
                       const Numbers& slack = {});

}  // namespace phalanx::comm
