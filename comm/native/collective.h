#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "comm/group.h"
#include "comm/native/group_members.h"
#include "comm/native/meeting.h"
#include "comm/reduction_plan.h"

namespace phalanx::comm {

// A collective as its caller asked for it. Data are slices of `count` elements; those of an
// all-to-all are as long as its counts say.
struct Collective {
  Operation operation;
  Reduction reduction = Reduction::kSum;
  ElementType type = ElementType::kFloat32;
  std::uint64_t sequence = 0;
  int root = 0;  // group rank
  const std::byte* input = nullptr;
  std::byte* output = nullptr;
  std::size_t count = 0;
  int input_slices = 1, output_slices = 1;
  std::vector<std::size_t> send_counts = {}, receive_counts = {};

  std::size_t slice_bytes() const { return count * element_size(type); }
  std::size_t input_bytes() const;
  bool is_short() const { return input_bytes() <= GroupBlock::kShort; }
  // Whether its data go straight from one rank to another (Pairwise).
  bool is_pairwise() const {
    return operation == Operation::kGather || operation == Operation::kScatter ||
           operation == Operation::kAllToAll;
  }
  Signature signature() const {
    return {static_cast<std::uint32_t>(operation),
            static_cast<std::uint32_t>(reduction),
            static_cast<std::uint32_t>(type),
            root,
            sequence,
            count};
  }
};

inline std::size_t Collective::input_bytes() const {
  std::size_t elements = static_cast<std::size_t>(input_slices) * count;
  for (const std::size_t sent : send_counts) elements += sent;
  return elements * element_size(type);
}

// Where to read a member's slices: the elements from `origin` on, slices `stride` apart.
struct View {
  const std::byte* base = nullptr;
  std::size_t element = 0;  // bytes
  std::size_t stride = 0;   // elements
  std::size_t origin = 0;
  const std::byte* at(int slice, std::size_t index) const {
    return base + (static_cast<std::size_t>(slice) * stride + (index - origin)) * element;
  }
};

// What the ranks of a lane exchange between nodes. Holds the plans of sums and the connections.
class Exchange {
 public:
  Exchange(Engine& engine, const GroupMembers& members, std::uint64_t key);

  int lanes(const Collective& collective) const;
  // Begins to connect to the lane's counterparts: while this rank waits for its own node, they can
  // be told so.
  void call();
  // Makes sure that the lane's counterparts on all nodes have started the same collective.
  Task open(Strand& strand, const Collective& collective);
  // One chunk: fills `result` with the lane's part `segment` of what the node needs
  // (collective.cc's consume tells the layout), out of the members' inputs. Chunks cross in steps,
  // kInFlight at once, so that the link always has something to move: each has begun one step
  // before turn(), and two before finish(). Inputs and result stay in place from the first to the
  // last.
  static constexpr std::size_t kInFlight = 3;
  void begin(const Collective& collective, const std::vector<View>& inputs, std::size_t chunk,
             Range segment, std::byte* result);
  Task turn(Strand& strand, const Collective& collective, std::size_t chunk);
  Task finish(Strand& strand, const Collective& collective, std::size_t chunk);

  const ReductionPlan& whole() const { return whole_; }  // over all ranks, for a group on one node

 private:
  std::size_t top_leaves() const { return static_cast<std::size_t>(top_.leaves()); }
  int nodes() const { return static_cast<int>(members_.placement.nodes.size()); }
  int own_node() const { return members_.placement.node; }
  int counterpart(int node) const;
  Stream& stream(int node);
  std::size_t subtrees(int node) const { return subtrees_[static_cast<std::size_t>(node)].size(); }
  void reduce_own(const Collective& collective, const std::vector<View>& inputs, int slice,
                  Range range, std::byte* partials) const;
  void reduce_top(const Collective& collective, const std::vector<const std::byte*>& partials,
                  std::size_t stride, std::byte* result, std::size_t count) const;
  // A chunk on its way.
  struct Crossing {
    Range segment;
    std::byte* result;
    std::vector<std::byte> outgoing, incoming;
    std::vector<const std::byte*> partials;     // by node, of a sum
    std::vector<std::uint64_t> sent, received;  // by node: what the streams will have reached
  };
  Crossing& crossing(std::size_t chunk) { return crossings_[chunk % kInFlight]; }
  void send(Crossing& crossing, int node, const std::byte* data, std::size_t bytes);
  void receive(Crossing& crossing, int node, std::byte* data, std::size_t bytes);
  // Stream::sent or Stream::received of the connections to all nodes, up to these bytes.
  using Moved = const std::atomic<std::uint64_t>& (Stream::*)() const;
  Task until(Strand& strand, Moved moved, const std::vector<std::uint64_t>& by_node);
  void send_partials(const Collective& collective, const std::vector<View>& inputs, Crossing& to);
  void scatter(const Collective& collective, const std::vector<View>& inputs, Crossing& to);
  void reduce_scattered(const Collective& collective, const Crossing& crossing) const;
  void all_gather(const Collective& collective, const std::vector<View>& inputs, Crossing& to);
  void broadcast(const Collective& collective, const std::vector<View>& inputs, Crossing& to);

  Engine& engine_;
  const GroupMembers& members_;
  std::uint64_t channel_;
  std::vector<std::vector<Subtree>> subtrees_;  // by node
  std::vector<ReductionPlan> own_plans_;        // a plan per subtree of this node
  ReductionPlan top_, whole_;
  std::array<Crossing, kInFlight> crossings_;
};

class Pairwise;

// How many chunks of a collective are under way at once.
inline std::size_t chunks_under_way(const Placement& placement) {
  return placement.one_node() ? 1 : Exchange::kInFlight;
}
// Buffers for inputs, and as many for results: one is filled while the others are under way.
inline std::size_t staging_buffers(const Placement& placement) {
  return chunks_under_way(placement) + 1;
}

// Runs one collective on this rank.
Task run_collective(Strand& strand, Engine& engine, const GroupMembers& members, Meeting& meeting,
                    Exchange& exchange, Pairwise& pairwise, Collective collective);

}  // namespace phalanx::comm
