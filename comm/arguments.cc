#include "comm/arguments.h"

#include <numeric>

#include "base/check.h"

namespace phalanx::comm {
namespace {

bool is_slices(const ConstBuffer& all, const ConstBuffer& slice, const Group& group) {
  return all.type == slice.type &&
         all.count == slice.count * static_cast<std::size_t>(group.size());
}

bool is_rank(const Group& group, int rank) { return rank >= 0 && rank < group.size(); }

std::size_t sum_of(std::span<const std::size_t> counts) {
  return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
}

}  // namespace

void check_reduce_scatter(const Group& group, const ConstBuffer& data, const Buffer& result) {
  check(is_slices(data, result, group),
        "reduce_scatter: data holds size() slices of result.count elements of its type");
}

void check_all_gather(const Group& group, const ConstBuffer& data, const Buffer& result) {
  check(is_slices(result, data, group),
        "all_gather: result holds size() slices of data.count elements of its type");
}

void check_broadcast(const Group& group, int root) {
  check(is_rank(group, root), "broadcast: the root is a rank of the group");
}

void check_gather(const Group& group, const ConstBuffer& data, const Buffer& result, int root) {
  check(is_rank(group, root), "gather: the root is a rank of the group");
  check(group.rank() == root ? is_slices(result, data, group) : result.count == 0,
        "gather: on the root, result holds size() slices of data.count elements of its type, "
        "elsewhere nothing");
}

void check_scatter(const Group& group, const ConstBuffer& data, const Buffer& result, int root) {
  check(is_rank(group, root), "scatter: the root is a rank of the group");
  check(group.rank() == root ? is_slices(data, result, group) : data.count == 0,
        "scatter: on the root, data holds size() slices of result.count elements of its type, "
        "elsewhere nothing");
}

void check_all_to_all(const Group& group, const ConstBuffer& data,
                      std::span<const std::size_t> send_counts, const Buffer& result,
                      std::span<const std::size_t> receive_counts) {
  const auto ranks = static_cast<std::size_t>(group.size());
  const auto own = static_cast<std::size_t>(group.rank());
  check(data.type == result.type, "all_to_all: data and result are of one type");
  check(send_counts.size() == ranks && receive_counts.size() == ranks &&
            sum_of(send_counts) == data.count && sum_of(receive_counts) == result.count,
        "all_to_all: data and result hold a slice for each rank, of the counts' elements");
  check(send_counts[own] == receive_counts[own],
        "all_to_all: a rank receives from itself what it sends");
}

void check_send(const Group& group, int peer) {
  check(is_rank(group, peer) && peer != group.rank(),
        "send: the peer is another rank of the group");
}

void check_receive(const Group& group, int peer) {
  check(is_rank(group, peer) && peer != group.rank(),
        "receive: the peer is another rank of the group");
}

}  // namespace phalanx::comm
