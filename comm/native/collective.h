#pragma once

#include <cstdint>
#include <vector>

#include "comm/group.h"
#include "comm/native/group_members.h"
#include "comm/native/meeting.h"
#include "comm/sum_tree.h"

namespace phalanx::comm {

// A collective as its caller asked for it. Data are slices of `count` elements.
struct Collective {
  Operation operation;
  std::uint64_t sequence = 0;
  int root = 0;  // group rank
  const float* input = nullptr;
  float* output = nullptr;
  std::size_t count = 0;
  int input_slices = 1, output_slices = 1;

  std::size_t input_bytes() const {
    return static_cast<std::size_t>(input_slices) * count * sizeof(float);
  }
  bool is_short() const { return input_bytes() <= GroupBlock::kShort; }
};

// Where to read a member's slices: the elements from `origin` on, slices `stride` apart.
struct View {
  const float* base = nullptr;
  std::size_t stride = 0;
  std::size_t origin = 0;
  const float* at(int slice, std::size_t element) const {
    return base + static_cast<std::size_t>(slice) * stride + (element - origin);
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
  // Fills `result` with the lane's part `segment` of what the node needs (collective.cc's consume
  // tells the layout), out of the members' inputs.
  Task run(Strand& strand, const Collective& collective, const std::vector<View>& inputs,
           Range segment, float* result);

  const SumPlan& whole() const { return whole_; }  // over all ranks, for a group on one node

 private:
  struct Header {
    std::uint32_t operation;
    std::int32_t root;
    std::uint64_t sequence;
    std::uint64_t count;
  };
  std::size_t top_leaves() const { return static_cast<std::size_t>(top_.leaves()); }
  int nodes() const { return static_cast<int>(members_.placement.nodes.size()); }
  int own_node() const { return members_.placement.node; }
  int counterpart(int node) const;
  Stream& stream(int node);
  std::size_t subtrees(int node) const { return subtrees_[static_cast<std::size_t>(node)].size(); }
  void sum_own(const std::vector<View>& inputs, int slice, Range range, float* partials) const;
  void sum_top(const std::vector<const float*>& partials, std::size_t stride, float* result,
               std::size_t count) const;
  void send(int node, const float* data, std::size_t count);
  void receive(int node, float* data, std::size_t count);
  Task arrived(Strand& strand);
  Task all_reduce(Strand& strand, const std::vector<View>& inputs, Range segment, float* result);
  Task reduce_scatter(Strand& strand, const std::vector<View>& inputs, Range segment,
                      float* result);
  Task all_gather(Strand& strand, const std::vector<View>& inputs, Range segment, float* result);
  Task broadcast(Strand& strand, int root, const std::vector<View>& inputs, Range segment,
                 float* result);

  Engine& engine_;
  const GroupMembers& members_;
  std::uint64_t channel_;
  std::vector<std::vector<Subtree>> subtrees_;  // by node
  std::vector<SumPlan> own_plans_;              // a plan per subtree of this node
  SumPlan top_, whole_;
  std::vector<float> outgoing_, incoming_;
  std::vector<std::uint64_t> sent_, received_;  // by node: what the streams will have reached
};

// Runs one collective on this rank.
Task run_collective(Strand& strand, Engine& engine, const GroupMembers& members, Meeting& meeting,
                    Exchange& exchange, Collective collective);

}  // namespace phalanx::comm
