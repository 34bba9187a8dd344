#include <algorithm>

#include "comm/combine.h"
#include "comm/native/collective.h"

namespace phalanx::comm {
namespace {

std::vector<Subtree> single_ranks(int count) {
  std::vector<Subtree> ranks;
  for (int rank = 0; rank < count; ++rank) ranks.push_back({rank, rank + 1});
  return ranks;
}

ReductionPlan plan_of_ranks(Subtree tree) {
  std::vector<Subtree> leaves;
  for (int rank = tree.begin; rank < tree.end; ++rank) leaves.push_back({rank, rank + 1});
  return {tree, leaves};
}

ReductionPlan plan_of_top(const std::vector<std::vector<Subtree>>& by_node, int ranks) {
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
  if (collective.is_pairwise()) return 1;
  constexpr std::size_t kWorthALane = 32 << 10;  // bytes
  const auto slices =
      static_cast<std::size_t>(std::max(collective.input_slices, collective.output_slices));
  const std::size_t worth = slices * collective.slice_bytes() / kWorthALane;
  return static_cast<int>(
      std::clamp<std::size_t>(worth, 1, static_cast<std::size_t>(members_.placement.lanes())));
}

int Exchange::counterpart(int node) const {
  const auto& members = members_.placement.nodes[static_cast<std::size_t>(node)];
  return members_.generation_rank(members[static_cast<std::size_t>(members_.placement.local)]);
}

Stream& Exchange::stream(int node) { return engine_.network().stream(counterpart(node), channel_); }

void Exchange::send(int node, const std::byte* data, std::size_t bytes) {
  sent_[static_cast<std::size_t>(node)] = stream(node).send(data, bytes);
}

void Exchange::receive(int node, std::byte* data, std::size_t bytes) {
  received_[static_cast<std::size_t>(node)] = stream(node).receive(data, bytes);
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
  const Signature own = collective.signature();
  std::vector<Signature> found(static_cast<std::size_t>(nodes()));
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    co_await engine_.network().connected(strand, counterpart(node), channel_);
    stream(node).send_copy(&own, sizeof own);
    received_[static_cast<std::size_t>(node)] =
        stream(node).receive(&found[static_cast<std::size_t>(node)], sizeof own);
  }
  co_await arrived(strand);
  for (int node = 0; node < nodes(); ++node)
    if (node != own_node())
      expect_same(own, found[static_cast<std::size_t>(node)], counterpart(node));
}

Task Exchange::run(Strand& strand, const Collective& collective, const std::vector<View>& inputs,
                   Range segment, std::byte* result) {
  switch (collective.operation) {
    case Operation::kAllReduce:
      return all_reduce(strand, collective, inputs, segment, result);
    case Operation::kReduceScatter:
      return reduce_scatter(strand, collective, inputs, segment, result);
    case Operation::kAllGather:
      return all_gather(strand, collective, inputs, segment, result);
    default:
      return broadcast(strand, collective, inputs, segment, result);
  }
}

// partials[t] := this node's subtree t over `range` of `slice`, in the accumulation type: so a
// result is rounded once, wherever its ranks sit.
void Exchange::reduce_own(const Collective& collective, const std::vector<View>& inputs, int slice,
                          Range range, std::byte* partials) const {
  const auto& here = members_.placement.nodes[static_cast<std::size_t>(own_node())];
  const ElementType partial = accumulation_type(collective.type);
  for (std::size_t t = 0; t < own_plans_.size(); ++t) {
    const Subtree tree = subtrees_[static_cast<std::size_t>(own_node())][t];
    std::vector<const std::byte*> leaves;
    for (std::size_t member = 0; member < here.size(); ++member)
      if (here[member] >= tree.begin && here[member] < tree.end)
        leaves.push_back(inputs[member].at(slice, range.begin));
    std::byte* const into = partials + t * range.size() * element_size(partial);
    own_plans_[t].run(collective.reduction, {collective.type, partial}, leaves, std::span(&into, 1),
                      range.size());
  }
}

// `partials`: for each node the first of its subtrees', `stride` bytes apart.
void Exchange::reduce_top(const Collective& collective,
                          const std::vector<const std::byte*>& partials, std::size_t stride,
                          std::byte* result, std::size_t count) const {
  std::vector<const std::byte*> leaves;
  for (int node = 0; node < nodes(); ++node)
    for (std::size_t t = 0; t < subtrees(node); ++t)
      leaves.push_back(partials[static_cast<std::size_t>(node)] + t * stride);
  top_.run(collective.reduction, {accumulation_type(collective.type), collective.type}, leaves,
           std::span(&result, 1), count);
}

// Each node owns a piece of the segment: it gets all nodes' partial results of its piece, evaluates
// the top of the tree, and sends the result to all.
Task Exchange::all_reduce(Strand& strand, const Collective& collective,
                          const std::vector<View>& inputs, Range segment, std::byte* result) {
  const std::size_t partial = element_size(accumulation_type(collective.type));
  const std::size_t element = element_size(collective.type);
  const Range owned = piece(segment, own_node(), nodes());
  const std::size_t stride = segment.size() * partial, own_bytes = owned.size() * partial;
  outgoing_.resize(subtrees(own_node()) * stride);
  incoming_.resize(top_leaves() * own_bytes);
  reduce_own(collective, inputs, 0, segment, outgoing_.data());
  const auto outgoing = [&](std::size_t tree, Range range) {
    return outgoing_.data() + tree * stride + (range.begin - segment.begin) * partial;
  };
  std::vector<const std::byte*> partials;
  std::byte* place = incoming_.data();
  for (int node = 0; node < nodes(); ++node) {
    const Range theirs = piece(segment, node, nodes());
    partials.push_back(place);
    for (std::size_t t = 0; t < subtrees(node); ++t, place += own_bytes) {
      if (node == own_node())
        std::copy_n(outgoing(t, owned), own_bytes, place);
      else
        receive(node, place, own_bytes);
    }
    for (std::size_t t = 0; t < subtrees(own_node()) && node != own_node(); ++t)
      send(node, outgoing(t, theirs), theirs.size() * partial);
  }
  co_await arrived(strand);
  std::byte* own = result + (owned.begin - segment.begin) * element;
  reduce_top(collective, partials, own_bytes, own, owned.size());
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    const Range theirs = piece(segment, node, nodes());
    send(node, own, owned.size() * element);
    receive(node, result + (theirs.begin - segment.begin) * element, theirs.size() * element);
  }
  co_await arrived(strand);
}

// Each node gets all nodes' partial results of its members' slices; result: a segment for each
// member.
Task Exchange::reduce_scatter(Strand& strand, const Collective& collective,
                              const std::vector<View>& inputs, Range segment, std::byte* result) {
  const std::size_t partial = segment.size() * element_size(accumulation_type(collective.type));
  const std::size_t own_trees = subtrees(own_node());
  const auto& here = members_.placement.nodes[static_cast<std::size_t>(own_node())];
  outgoing_.resize(members_.ranks.size() * own_trees * partial);
  incoming_.resize(top_leaves() * here.size() * partial);
  std::byte* outgoing = outgoing_.data();
  std::byte* incoming = incoming_.data();
  std::vector<const std::byte*> reduced;  // by node: of the first member's slice
  for (int node = 0; node < nodes(); ++node) {
    const auto& members = members_.placement.nodes[static_cast<std::size_t>(node)];
    reduced.push_back(node == own_node() ? outgoing : incoming);
    for (const int slice : members) {
      reduce_own(collective, inputs, slice, segment, outgoing);
      if (node != own_node()) send(node, outgoing, own_trees * partial);
      outgoing += own_trees * partial;
    }
    if (node == own_node()) continue;
    receive(node, incoming, here.size() * subtrees(node) * partial);
    incoming += here.size() * subtrees(node) * partial;
  }
  co_await arrived(strand);
  const std::size_t element = element_size(collective.type);
  for (std::size_t member = 0; member < here.size(); ++member) {
    std::vector<const std::byte*> partials;
    for (int node = 0; node < nodes(); ++node)
      partials.push_back(reduced[static_cast<std::size_t>(node)] +
                         member * subtrees(node) * partial);
    reduce_top(collective, partials, partial, result + member * segment.size() * element,
               segment.size());
  }
}

// result: the other nodes' slices, node after node.
Task Exchange::all_gather(Strand& strand, const Collective& collective,
                          const std::vector<View>& inputs, Range segment, std::byte* result) {
  const std::size_t bytes = segment.size() * element_size(collective.type);
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    for (const View& input : inputs) send(node, input.at(0, segment.begin), bytes);
    const std::size_t theirs =
        members_.placement.nodes[static_cast<std::size_t>(node)].size() * bytes;
    receive(node, result, theirs);
    result += theirs;
  }
  co_await arrived(strand);
}

Task Exchange::broadcast(Strand& strand, const Collective& collective,
                         const std::vector<View>& inputs, Range segment, std::byte* result) {
  const std::size_t bytes = segment.size() * element_size(collective.type);
  const auto& here = members_.placement.nodes[static_cast<std::size_t>(own_node())];
  const auto member = std::find(here.begin(), here.end(), collective.root);
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    const auto& there = members_.placement.nodes[static_cast<std::size_t>(node)];
    if (member != here.end())
      send(node, inputs[static_cast<std::size_t>(member - here.begin())].at(0, segment.begin),
           bytes);
    else if (std::find(there.begin(), there.end(), collective.root) != there.end())
      receive(node, result, bytes);
  }
  co_await arrived(strand);
}

}  // namespace phalanx::comm
