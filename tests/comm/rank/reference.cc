#include "rank/reference.h"

#include <cmath>
#include <cstring>
#include <functional>

#include "base/philox.h"

namespace phalanx::comm {

std::vector<float> numbers(int rank, int salt, std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; i += 2) {
    const auto random = random_block(static_cast<std::uint64_t>(salt), stable_hash("numbers"),
                                     static_cast<std::uint32_t>(rank), i / 2);
    for (std::size_t j = 0; j < 2 && i + j < count; ++j)
      values[i + j] = std::ldexp(static_cast<float>(static_cast<std::int32_t>(random[2 * j])),
                                 static_cast<int>(random[2 * j + 1] % 60) - 60);
  }
  return values;
}

std::vector<float> tree_sum(int ranks, int salt, std::size_t count) {
  const std::function<std::vector<float>(int, int)> sum = [&](int begin, int end) {
    if (end - begin == 1) return numbers(begin, salt, count);
    int left = 1;
    while (2 * left < end - begin) left *= 2;
    std::vector<float> total = sum(begin, begin + left);
    const std::vector<float> right = sum(begin + left, end);
    for (std::size_t i = 0; i < count; ++i) total[i] += right[i];
    return total;
  };
  return sum(0, ranks);
}

std::string difference(const std::vector<float>& expected, const float* found) {
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (std::memcmp(&expected[i], &found[i], sizeof(float)) != 0)
      return "element " + std::to_string(i) + " of " + std::to_string(expected.size()) +
             ": expected " + std::to_string(expected[i]) + ", found " + std::to_string(found[i]);
  return {};
}

}  // namespace phalanx::comm
