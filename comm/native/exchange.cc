#include <fmt/format.h>

#include <algorithm>

#include "comm/native/collective.h"

namespace phalanx::comm {
namespace {

std::vector<Subtree> single_ranks(int count) {
  std::vector<Subtree> ranks;
  for (int rank = 0; rank < count; ++rank) ranks.push_back({rank, rank + 1});
  return ranks;
}

SumPlan plan_of_ranks(Subtree tree) {
  std::vector<Subtree> leaves;
  for (int rank = tree.begin; rank < tree.end; ++rank) leaves.push_back({rank, rank + 1});
  return {tree, leaves};
}

SumPlan plan_of_top(const std::vector<std::vector<Subtree>>& by_node, int ranks) {
  std::vector<Subtree> leaves;
  for (const auto& subtrees : by_node)
    leaves.insert(leaves.end(), subtrees.begin(), subtrees.end());
  return {{0, ranks}, leaves};
}

}  // namespace

Exchange::Exchange(Engine& engine, const GroupMembers& members, std::uint64_t key)
    : engine_(engine),
      members_(members),
      channel_(key),
      subtrees_(subtrees_of_nodes(members.placement)),
      top_(plan_of_top(subtrees_, static_cast<int>(members.ranks.size()))),
      whole_({0, static_cast<int>(members.ranks.size())},
             single_ranks(static_cast<int>(members.ranks.size()))),
      sent_(members.placement.nodes.size()),
      received_(members.placement.nodes.size()) {
  for (const Subtree& tree : subtrees_[static_cast<std::size_t>(own_node())])
    own_plans_.push_back(plan_of_ranks(tree));
}

int Exchange::lanes(const Collective& collective) const {
  constexpr std::size_t kWorthALane = 32 << 10;  // bytes
  const auto slices =
      static_cast<std::size_t>(std::max(collective.input_slices, collective.output_slices));
  const std::size_t worth = slices * collective.count * sizeof(float) / kWorthALane;
  return static_cast<int>(
      std::clamp<std::size_t>(worth, 1, static_cast<std::size_t>(members_.placement.lanes())));
}

int Exchange::counterpart(int node) const {
  const auto& members = members_.placement.nodes[static_cast<std::size_t>(node)];
  return members_.generation_rank(members[static_cast<std::size_t>(members_.placement.local)]);
}

Stream& Exchange::stream(int node) { return engine_.network().stream(counterpart(node), channel_); }

void Exchange::send(int node, const float* data, std::size_t count) {
  sent_[static_cast<std::size_t>(node)] = stream(node).send(data, count * sizeof(float));
}

void Exchange::receive(int node, float* data, std::size_t count) {
  received_[static_cast<std::size_t>(node)] = stream(node).receive(data, count * sizeof(float));
}

// Until all that was sent has gone, and all that was to be received is here.
Task Exchange::arrived(Strand& strand) {
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    Stream& link = stream(node);
    const int peer = counterpart(node);
    co_await strand.until(link.received(), received_[static_cast<std::size_t>(node)], peer, &link);
    co_await strand.until(link.sent(), sent_[static_cast<std::size_t>(node)], peer, &link);
  }
}

void Exchange::call() {
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    engine_.network().stream(counterpart(node), Network::kControl);
    stream(node);
  }
}

Task Exchange::open(Strand& strand, const Collective& collective) {
  const Header own{static_cast<std::uint32_t>(collective.operation), collective.root,
                   collective.sequence, collective.count};
  std::vector<Header> found(static_cast<std::size_t>(nodes()));
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    co_await engine_.network().connected(strand, counterpart(node), channel_);
    stream(node).send_copy(&own, sizeof own);
    received_[static_cast<std::size_t>(node)] =
        stream(node).receive(&found[static_cast<std::size_t>(node)], sizeof own);
  }
  co_await arrived(strand);
  for (int node = 0; node < nodes(); ++node) {
    const Header& header = found[static_cast<std::size_t>(node)];
    if (node == own_node()) continue;
    if (header.operation != own.operation || header.root != own.root ||
        header.sequence != own.sequence || header.count != own.count)
      throw Ending{CommError::Kind::kMismatch, counterpart(node),
                   fmt::format("expected {} {} with {} elements a slice and root {}, found {} {} "
                               "with {} and root {}",
                               operation_name(collective.operation), own.sequence, own.count,
                               own.root, operation_name(static_cast<Operation>(header.operation)),
                               header.sequence, header.count, header.root)};
  }
}

Task Exchange::run(Strand& strand, const Collective& collective, const std::vector<View>& inputs,
                   Range segment, float* result) {
  switch (collective.operation) {
    case Operation::kAllReduce:
      return all_reduce(strand, inputs, segment, result);
    case Operation::kReduceScatter:
      return reduce_scatter(strand, inputs, segment, result);
    case Operation::kAllGather:
      return all_gather(strand, inputs, segment, result);
    default:
      return broadcast(strand, collective.root, inputs, segment, result);
  }
}

// partials[t] := the sum of this node's subtree t over `range` of `slice`.
void Exchange::sum_own(const std::vector<View>& inputs, int slice, Range range,
                       float* partials) const {
  const auto& here = members_.placement.nodes[static_cast<std::size_t>(own_node())];
  for (std::size_t t = 0; t < own_plans_.size(); ++t) {
    const Subtree tree = subtrees_[static_cast<std::size_t>(own_node())][t];
    std::vector<const float*> leaves;
    for (std::size_t member = 0; member < here.size(); ++member)
      if (here[member] >= tree.begin && here[member] < tree.end)
        leaves.push_back(inputs[member].at(slice, range.begin));
    float* const sum = partials + t * range.size();
    own_plans_[t].run(leaves, std::span(&sum, 1), range.size());
  }
}

// `partials`: for each node the first of its subtrees' sums, `stride` elements apart.
void Exchange::sum_top(const std::vector<const float*>& partials, std::size_t stride, float* result,
                       std::size_t count) const {
  std::vector<const float*> leaves;
  for (int node = 0; node < nodes(); ++node)
    for (std::size_t t = 0; t < subtrees(node); ++t)
      leaves.push_back(partials[static_cast<std::size_t>(node)] + t * stride);
  top_.run(leaves, std::span(&result, 1), count);
}

// Each node owns a piece of the segment: it gets all nodes' sums of its piece, evaluates the top of
// the tree, and sends the result to all.
Task Exchange::all_reduce(Strand& strand, const std::vector<View>& inputs, Range segment,
                          float* result) {
  const Range owned = piece(segment, own_node(), nodes());
  const std::size_t length = segment.size();
  outgoing_.resize(subtrees(own_node()) * length);
  incoming_.resize(top_leaves() * owned.size());
  sum_own(inputs, 0, segment, outgoing_.data());
  std::vector<const float*> partials;
  float* place = incoming_.data();
  for (int node = 0; node < nodes(); ++node) {
    const Range theirs = piece(segment, node, nodes());
    partials.push_back(place);
    for (std::size_t t = 0; t < subtrees(node); ++t, place += owned.size()) {
      if (node == own_node())
        std::copy_n(&outgoing_[t * length + owned.begin - segment.begin], owned.size(), place);
      else
        receive(node, place, owned.size());
    }
    for (std::size_t t = 0; t < subtrees(own_node()) && node != own_node(); ++t)
      send(node, &outgoing_[t * length + theirs.begin - segment.begin], theirs.size());
  }
  co_await arrived(strand);
  float* own = result + (owned.begin - segment.begin);
  sum_top(partials, owned.size(), own, owned.size());
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    const Range theirs = piece(segment, node, nodes());
    send(node, own, owned.size());
    receive(node, result + (theirs.begin - segment.begin), theirs.size());
  }
  co_await arrived(strand);
}

// Each node gets all nodes' sums of its members' slices; result: a segment for each member.
Task Exchange::reduce_scatter(Strand& strand, const std::vector<View>& inputs, Range segment,
                              float* result) {
  const std::size_t length = segment.size();
  const std::size_t own_trees = subtrees(own_node());
  const auto& here = members_.placement.nodes[static_cast<std::size_t>(own_node())];
  outgoing_.resize(members_.ranks.size() * own_trees * length);
  incoming_.resize(top_leaves() * here.size() * length);
  float* outgoing = outgoing_.data();
  float* incoming = incoming_.data();
  std::vector<const float*> sums;  // by node: of the first member's slice
  for (int node = 0; node < nodes(); ++node) {
    const auto& members = members_.placement.nodes[static_cast<std::size_t>(node)];
    sums.push_back(node == own_node() ? outgoing : incoming);
    for (const int slice : members) {
      sum_own(inputs, slice, segment, outgoing);
      if (node != own_node()) send(node, outgoing, own_trees * length);
      outgoing += own_trees * length;
    }
    if (node == own_node()) continue;
    receive(node, incoming, here.size() * subtrees(node) * length);
    incoming += here.size() * subtrees(node) * length;
  }
  co_await arrived(strand);
  for (std::size_t member = 0; member < here.size(); ++member) {
    std::vector<const float*> partials;
    for (int node = 0; node < nodes(); ++node)
      partials.push_back(sums[static_cast<std::size_t>(node)] + member * subtrees(node) * length);
    sum_top(partials, length, result + member * length, length);
  }
}

// result: the other nodes' slices, node after node.
Task Exchange::all_gather(Strand& strand, const std::vector<View>& inputs, Range segment,
                          float* result) {
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    for (const View& input : inputs) send(node, input.at(0, segment.begin), segment.size());
    const std::size_t count =
        members_.placement.nodes[static_cast<std::size_t>(node)].size() * segment.size();
    receive(node, result, count);
    result += count;
  }
  co_await arrived(strand);
}

Task Exchange::broadcast(Strand& strand, int root, const std::vector<View>& inputs, Range segment,
                         float* result) {
  const auto& here = members_.placement.nodes[static_cast<std::size_t>(own_node())];
  const auto member = std::find(here.begin(), here.end(), root);
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    const auto& there = members_.placement.nodes[static_cast<std::size_t>(node)];
    if (member != here.end())
      send(node, inputs[static_cast<std::size_t>(member - here.begin())].at(0, segment.begin),
           segment.size());
    else if (std::find(there.begin(), there.end(), root) != there.end())
      receive(node, result, segment.size());
  }
  co_await arrived(strand);
}

}  // namespace phalanx::comm
