#pragma once

#include <cstdint>

namespace phalanx {

// number / by, rounded up, of what is not negative.
constexpr std::int64_t divide_up(std::int64_t number, std::int64_t by) {
  return (number + by - 1) / by;
}

}  // namespace phalanx
