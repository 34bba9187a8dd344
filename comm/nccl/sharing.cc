#include "comm/nccl/sharing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "comm/backend.h"

namespace phalanx::comm::nccl {
namespace {

constexpr int kFirstToShare = 2'30'00;  // 2.30.0
// Of all ranks of a GPU together: two with NCCL's own choice fit, and more of them must leave room
// for several communicators each.
constexpr int kBlocksOfDevice = 16;

std::string version_text(int version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace

int ranks_on_device(const std::vector<Peer>& peers, int rank, int devices) {
  const Peer& self = peers[static_cast<std::size_t>(rank)];
  return static_cast<int>(std::ranges::count_if(peers, [&](const Peer& peer) {
    return peer.host == self.host && peer.slot % devices == self.slot % devices;
  }));
}

void let_ranks_share() { ::setenv("NCCL_MULTI_RANK_GPU_ENABLE", "1", 0); }

void check_sharing(const std::vector<Peer>& peers, int rank, int devices, int version) {
  const int sharing = ranks_on_device(peers, rank, devices);
  if (sharing == 1 || version >= kFirstToShare) return;
  throw PlacementError(
      fmt::format("backend nccl: rank {} shares its GPU with {} more: expected NCCL 2.30 or later "
                  "for that, found {}",
                  rank, sharing - 1, version_text(version)),
      fmt::format(
          "start no more ranks on a host than it has GPUs (launch.ranks_per_node: {} at "
          "most), or install NCCL 2.30 or later (`scripts/setup.sh --cuda`) and build again",
          devices));
}

int most_blocks(int ranks_on_device) {
  return ranks_on_device == 1 ? 0 : std::max(1, kBlocksOfDevice / ranks_on_device);
}

}  // namespace phalanx::comm::nccl
