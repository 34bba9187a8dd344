#include "base/philox.h"

namespace phalanx {

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c,
                                    std::array<std::uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
  return c;
}

std::array<std::uint32_t, 4> random_block(std::uint64_t seed, std::uint64_t site,
                                          std::uint32_t step, std::uint64_t index) {
  // The site is mixed into the key by one application, so that sites never share a sequence by xor
  // or addition.
  const auto lo = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto hi = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); };
  const auto key = philox({lo(site), hi(site), step, 0x70686c78}, {lo(seed), hi(seed)});
  return philox({lo(index), hi(index), key[2], key[3]}, {key[0], key[1]});
}

}  // namespace phalanx
