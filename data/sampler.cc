#include "data/sampler.h"

#include <bit>

#include "base/check.h"
#include "base/philox.h"

namespace phalanx::data {
namespace {

// Four are enough against distinguishers; more cost little and mix tiny domains better.
constexpr std::uint32_t kRounds = 8;
constexpr std::uint64_t kSite = stable_hash("data.sampler");

// A permutation of [0, 4^half_bits) for each key.
class Feistel {
 public:
  Feistel(std::uint64_t seed, std::uint64_t epoch, int half_bits)
      : half_bits_(half_bits),
        mask_(static_cast<std::uint32_t>((std::uint64_t{1} << half_bits) - 1)) {
    const auto block = random_block(seed, kSite, 0, epoch);
    key_ = {block[0], block[1]};
  }

  std::uint64_t operator()(std::uint64_t value) const {
    auto left = static_cast<std::uint32_t>(value >> half_bits_);
    auto right = static_cast<std::uint32_t>(value) & mask_;
    for (std::uint32_t round = 0; round < kRounds; ++round) {
      const std::uint32_t mixed = left ^ (philox({right, round, 0, 0}, key_)[0] & mask_);
      left = right;
      right = mixed;
    }
    return std::uint64_t{left} << half_bits_ | right;
  }

 private:
  int half_bits_;
  std::uint32_t mask_;
  std::array<std::uint32_t, 2> key_;
};

}  // namespace

Sampler::Sampler(std::uint64_t seed, std::uint64_t sequence_count)
    : seed_(seed),
      sequence_count_(sequence_count),
      half_bits_((std::bit_width(sequence_count - 1) + 1) / 2) {
  check(sequence_count >= 1 && sequence_count <= std::uint64_t{1} << 62,
        "a sampler of 1 to 2^62 sequences");
}

std::vector<std::uint64_t> Sampler::samples(std::uint64_t cursor, std::uint64_t count) const {
  std::vector<std::uint64_t> sequences;
  sequences.reserve(count);
  while (count > 0) {
    const Feistel permute(seed_, cursor / sequence_count_, half_bits_);
    std::uint64_t position = cursor % sequence_count_;
    for (; position < sequence_count_ && count > 0; ++position, ++cursor, --count) {
      std::uint64_t sequence = permute(position);
      // Walking the cycle from inside [0, n) until back inside is a permutation of [0, n).
      while (sequence >= sequence_count_) sequence = permute(sequence);
      sequences.push_back(sequence);
    }
  }
  return sequences;
}

}  // namespace phalanx::data
