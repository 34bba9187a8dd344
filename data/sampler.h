#pragma once

#include <cstdint>
#include <vector>

namespace phalanx::data {

// Which sequence is trained on when: the samples of epoch e are a permutation of [0,
// sequence_count), computed from (seed, e) and so never stored: a Feistel network (Luby and
// Rackoff, 1988) whose round function is Philox, on the smallest domain of 4^k numbers that holds
// the sequences, with cycle walking (Black and Rogaway, 2002). The cursor counts samples since the
// start of training and means the same under every layout and batch size.
class Sampler {
 public:
  // `sequence_count` is at least 1 and at most 2^62.
  Sampler(std::uint64_t seed, std::uint64_t sequence_count);

  std::uint64_t sequence_count() const { return sequence_count_; }

  // The sequences that the samples [cursor, cursor + count) of the endless order are. O(count).
  std::vector<std::uint64_t> samples(std::uint64_t cursor, std::uint64_t count) const;

 private:
  std::uint64_t seed_;
  std::uint64_t sequence_count_;
  int half_bits_;  // the domain has 4^half_bits_ numbers
};

}  // namespace phalanx::data
