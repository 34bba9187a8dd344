#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace phalanx::comm {

// What the operations promise, computed the plain way.

// Numbers whose sum depends on the order: of both signs, over 60 binary orders of magnitude.
std::vector<float> numbers(int rank, int salt, std::size_t count);

// The sum over ranks in the canonical order.
std::vector<float> tree_sum(int ranks, int salt, std::size_t count);

// Empty if both hold the same bits; else where they differ first.
std::string difference(const std::vector<float>& expected, const float* found);

}  // namespace phalanx::comm
