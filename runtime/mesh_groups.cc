#include "runtime/mesh_groups.h"

#include <map>
#include <numeric>

namespace phalanx::runtime {
namespace {

std::shared_ptr<comm::Group> make_group(comm::Communicator& communicator,
                                        const std::vector<int>& ranks) {
  return ranks.size() == 1 ? nullptr : communicator.make_group(ranks);
}

}  // namespace

MeshGroups make_mesh_groups(comm::Communicator& communicator, const ModelState& state) {
  using layout::Axis;
  const auto& mesh = state.partition().mesh;
  const auto along = [&](Axis axis) {
    return make_group(communicator, mesh.group(state.rank(), axis));
  };
  std::vector<int> all(static_cast<std::size_t>(mesh.ranks()));
  std::iota(all.begin(), all.end(), 0);

  MeshGroups groups;
  groups.world = communicator.make_group(all);
  groups.axes = {along(Axis::kTensor), along(Axis::kContext), along(Axis::kExpert),
                 state.partition().exchanges_heads ? parallel::ContextExchange::kHeads
                                                   : parallel::ContextExchange::kRing,
                 state.partition().expert_chunks};
  groups.pipeline = along(Axis::kPipeline);
  // In the order of their members, which is the same for all: no two ranks wait for each other.
  std::map<std::vector<int>, std::shared_ptr<comm::Group>> replicas;
  for (const auto& part : state.parts()) replicas[part.bucket.replicas] = nullptr;
  for (auto& [ranks, group] : replicas) group = make_group(communicator, ranks);
  for (const auto& part : state.parts())
    groups.buckets.push_back({part.bucket, replicas.at(part.bucket.replicas)});
  return groups;
}

}  // namespace phalanx::runtime
