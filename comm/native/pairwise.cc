#include "comm/native/pairwise.h"

#include <cstring>

#include "comm/native/branches.h"

namespace phalanx::comm {
namespace {

// Messages of one rank under way at once, in both directions together.
constexpr std::size_t kAtOnce = 16;

// Where the slice for each rank begins, in bytes, and behind the last one where it ends.
std::vector<std::size_t> offsets(const std::vector<std::size_t>& counts, std::size_t element) {
  std::vector<std::size_t> begins{0};
  for (const std::size_t count : counts) begins.push_back(begins.back() + count * element);
  return begins;
}

// What a collective has one rank give to and take from each other one: empty where nothing goes,
// not even a message without elements.
class Slices {
 public:
  Slices(const Collective& collective, int rank)
      : collective_(collective),
        rank_(rank),
        sends_(offsets(collective.send_counts, element_size(collective.type))),
        receives_(offsets(collective.receive_counts, element_size(collective.type))) {}

  std::optional<std::span<const std::byte>> for_rank(int peer) const {
    const std::size_t bytes = collective_.slice_bytes();
    const auto place = static_cast<std::size_t>(peer);
    if (collective_.operation == Operation::kAllToAll)
      return std::span(collective_.input + sends_[place], sends_[place + 1] - sends_[place]);
    if (collective_.operation == Operation::kGather && peer == collective_.root)
      return std::span(collective_.input, bytes);
    if (collective_.operation == Operation::kScatter && rank_ == collective_.root)
      return std::span(collective_.input + place * bytes, bytes);
    return std::nullopt;
  }
  std::optional<std::span<std::byte>> from_rank(int peer) const {
    const std::size_t bytes = collective_.slice_bytes();
    const auto place = static_cast<std::size_t>(peer);
    if (collective_.operation == Operation::kAllToAll)
      return std::span(collective_.output + receives_[place],
                       receives_[place + 1] - receives_[place]);
    if (collective_.operation == Operation::kGather && rank_ == collective_.root)
      return std::span(collective_.output + place * bytes, bytes);
    if (collective_.operation == Operation::kScatter && peer == collective_.root)
      return std::span(collective_.output, bytes);
    return std::nullopt;
  }

 private:
  const Collective& collective_;
  int rank_;
  std::vector<std::size_t> sends_, receives_;
};

}  // namespace

void Pairwise::prepare(const Collective& collective) {
  const Slices slices(collective, members_.rank);
  for (int peer = 0; peer < members_.size(); ++peer)
    if (peer != members_.rank && slices.for_rank(peer)) transport_.prepare_send(peer);
}

Task Pairwise::run(Strand& strand, const Collective& collective) {
  const int size = members_.size(), rank = members_.rank;
  const Slices slices(collective, rank);
  if (const auto own = slices.for_rank(rank); own && !own->empty())
    std::memmove(slices.from_rank(rank)->data(), own->data(), own->size());
  Branches branches(strand);
  for (int round = 1; round < size; ++round) {
    const int to = (rank + round) % size, from = (rank + size - round) % size;
    if (const auto data = slices.for_rank(to))
      branches.start(
          [&](Strand& branch) { return transport_.send(branch, *data, to, collective.sequence); });
    if (const auto place = slices.from_rank(from))
      branches.start([&](Strand& branch) {
        return transport_.receive(branch, *place, from, collective.sequence);
      });
    co_await branches.at_most(kAtOnce);
  }
  co_await branches.at_most(0);
}

}  // namespace phalanx::comm
