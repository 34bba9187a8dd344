#include <algorithm>

#include "comm/combine.h"
#include "comm/native/collective.h"

namespace phalanx::comm {
namespace {

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
      whole_(ReductionPlan::of_ranks({0, members.size()})) {
  for (Crossing& crossing : crossings_) {
    crossing.sent.resize(members.placement.nodes.size());
    crossing.received.resize(members.placement.nodes.size());
  }
  for (const Subtree& tree : subtrees_[static_cast<std::size_t>(own_node())])
    own_plans_.push_back(ReductionPlan::of_ranks(tree));
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

void Exchange::send(Crossing& crossing, int node, const std::byte* data, std::size_t bytes) {
  crossing.sent[static_cast<std::size_t>(node)] = stream(node).send(data, bytes);
}

void Exchange::receive(Crossing& crossing, int node, std::byte* data, std::size_t bytes) {
  crossing.received[static_cast<std::size_t>(node)] = stream(node).receive(data, bytes);
}

Task Exchange::until(Strand& strand, Moved moved, const std::vector<std::uint64_t>& by_node) {
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    Stream& link = stream(node);
    co_await strand.until((link.*moved)(), by_node[static_cast<std::size_t>(node)],
                          counterpart(node), &link);
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
  std::vector<std::uint64_t> headers(found.size());
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    co_await engine_.network().connected(strand, counterpart(node), channel_);
    stream(node).send_copy(&own, sizeof own);
    const auto from = static_cast<std::size_t>(node);
    headers[from] =
        stream(node).receive(reinterpret_cast<std::byte*>(&found[from]), sizeof(Signature));
  }
  co_await until(strand, &Stream::received, headers);
  for (int node = 0; node < nodes(); ++node)
    if (node != own_node())
      expect_same(own, found[static_cast<std::size_t>(node)], counterpart(node));
}

void Exchange::begin(const Collective& collective, const std::vector<View>& inputs,
                     std::size_t chunk, Range segment, std::byte* result) {
  Crossing& to = crossing(chunk);
  to.segment = segment;
  to.result = result;
  switch (collective.operation) {
    case Operation::kAllReduce:
      return send_partials(collective, inputs, to);
    case Operation::kReduceScatter:
      return scatter(collective, inputs, to);
    case Operation::kAllGather:
      return all_gather(collective, inputs, to);
    default:
      return broadcast(collective, inputs, to);
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
void Exchange::send_partials(const Collective& collective, const std::vector<View>& inputs,
                             Crossing& to) {
  const std::size_t partial = element_size(accumulation_type(collective.type));
  const Range segment = to.segment, owned = piece(segment, own_node(), nodes());
  const std::size_t stride = segment.size() * partial, own_bytes = owned.size() * partial;
  to.outgoing.resize(subtrees(own_node()) * stride);
  to.incoming.resize(top_leaves() * own_bytes);
  reduce_own(collective, inputs, 0, segment, to.outgoing.data());
  const auto outgoing = [&](std::size_t tree, Range range) {
    return to.outgoing.data() + tree * stride + (range.begin - segment.begin) * partial;
  };
  to.partials.clear();
  std::byte* place = to.incoming.data();
  for (int node = 0; node < nodes(); ++node) {
    const Range theirs = piece(segment, node, nodes());
    to.partials.push_back(place);
    for (std::size_t t = 0; t < subtrees(node); ++t, place += own_bytes) {
      if (node == own_node())
        std::copy_n(outgoing(t, owned), own_bytes, place);
      else
        receive(to, node, place, own_bytes);
    }
    for (std::size_t t = 0; t < subtrees(own_node()) && node != own_node(); ++t)
      send(to, node, outgoing(t, theirs), theirs.size() * partial);
  }
}

Task Exchange::turn(Strand& strand, const Collective& collective, std::size_t chunk) {
  if (collective.operation != Operation::kAllReduce) co_return;
  Crossing& to = crossing(chunk);
  co_await until(strand, &Stream::received, to.received);
  const std::size_t element = element_size(collective.type);
  const Range segment = to.segment, owned = piece(segment, own_node(), nodes());
  std::byte* own = to.result + (owned.begin - segment.begin) * element;
  reduce_top(collective, to.partials,
             owned.size() * element_size(accumulation_type(collective.type)), own, owned.size());
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    const Range theirs = piece(segment, node, nodes());
    send(to, node, own, owned.size() * element);
    receive(to, node, to.result + (theirs.begin - segment.begin) * element,
            theirs.size() * element);
  }
}

Task Exchange::finish(Strand& strand, const Collective& collective, std::size_t chunk) {
  const Crossing& done = crossing(chunk);
  co_await until(strand, &Stream::received, done.received);
  if (collective.operation == Operation::kReduceScatter) reduce_scattered(collective, done);
  co_await until(strand, &Stream::sent, done.sent);
}

// Each node gets all nodes' partial results of its members' slices; result: a segment for each
// member.
void Exchange::scatter(const Collective& collective, const std::vector<View>& inputs,
                       Crossing& to) {
  const std::size_t partial = to.segment.size() * element_size(accumulation_type(collective.type));
  const std::size_t own_trees = subtrees(own_node());
  const auto& here = members_.placement.nodes[static_cast<std::size_t>(own_node())];
  to.outgoing.resize(members_.ranks.size() * own_trees * partial);
  to.incoming.resize(top_leaves() * here.size() * partial);
  std::byte* outgoing = to.outgoing.data();
  std::byte* incoming = to.incoming.data();
  to.partials.clear();  // of the first member's slice
  for (int node = 0; node < nodes(); ++node) {
    const auto& members = members_.placement.nodes[static_cast<std::size_t>(node)];
    to.partials.push_back(node == own_node() ? outgoing : incoming);
    for (const int slice : members) {
      reduce_own(collective, inputs, slice, to.segment, outgoing);
      if (node != own_node()) send(to, node, outgoing, own_trees * partial);
      outgoing += own_trees * partial;
    }
    if (node == own_node()) continue;
    receive(to, node, incoming, here.size() * subtrees(node) * partial);
    incoming += here.size() * subtrees(node) * partial;
  }
}

void Exchange::reduce_scattered(const Collective& collective, const Crossing& crossing) const {
  const std::size_t count = crossing.segment.size(), element = element_size(collective.type);
  const std::size_t partial = count * element_size(accumulation_type(collective.type));
  const auto& here = members_.placement.nodes[static_cast<std::size_t>(own_node())];
  for (std::size_t member = 0; member < here.size(); ++member) {
    std::vector<const std::byte*> partials;
    for (int node = 0; node < nodes(); ++node)
      partials.push_back(crossing.partials[static_cast<std::size_t>(node)] +
                         member * subtrees(node) * partial);
    reduce_top(collective, partials, partial, crossing.result + member * count * element, count);
  }
}

// result: the other nodes' slices, node after node.
void Exchange::all_gather(const Collective& collective, const std::vector<View>& inputs,
                          Crossing& to) {
  const std::size_t bytes = to.segment.size() * element_size(collective.type);
  std::byte* result = to.result;
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    for (const View& input : inputs) send(to, node, input.at(0, to.segment.begin), bytes);
    const std::size_t theirs =
        members_.placement.nodes[static_cast<std::size_t>(node)].size() * bytes;
    receive(to, node, result, theirs);
    result += theirs;
  }
}

void Exchange::broadcast(const Collective& collective, const std::vector<View>& inputs,
                         Crossing& to) {
  const std::size_t bytes = to.segment.size() * element_size(collective.type);
  const auto& here = members_.placement.nodes[static_cast<std::size_t>(own_node())];
  const auto member = std::find(here.begin(), here.end(), collective.root);
  for (int node = 0; node < nodes(); ++node) {
    if (node == own_node()) continue;
    const auto& there = members_.placement.nodes[static_cast<std::size_t>(node)];
    if (member != here.end())
      send(to, node,
           inputs[static_cast<std::size_t>(member - here.begin())].at(0, to.segment.begin), bytes);
    else if (std::find(there.begin(), there.end(), collective.root) != there.end())
      receive(to, node, to.result, bytes);
  }
}

}  // namespace phalanx::comm
