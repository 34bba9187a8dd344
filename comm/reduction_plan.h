#pragma once

#include <cstddef>
#include <span>
#include <unordered_map>
#include <vector>

#include "comm/group.h"
#include "comm/sum_tree.h"

namespace phalanx::comm {

// How to reduce vectors that stand for `leaves`: disjoint subtrees that cover `tree`, in any order.
class ReductionPlan {
 public:
  ReductionPlan(Subtree tree, std::span<const Subtree> leaves);
  // A leaf for each rank of `tree`, in their order.
  static ReductionPlan of_ranks(Subtree tree);

  // What the leaves and the results hold: both of an element type or its accumulation type
  // (comm/combine.h), in which everything between them is kept. So a result is rounded once.
  struct Types {
    ElementType leaves, results;
  };
  // Writes the reduction of `count` elements of every leaf into every result. A result may be one
  // of the leaves (the same address), not overlap one otherwise.
  void run(Reduction reduction, Types types, std::span<const std::byte* const> leaves,
           std::span<std::byte* const> results, std::size_t count) const;

  int leaves() const { return leaves_; }

 private:
  // Operands below leaves_ are leaves, the others are temporary vectors.
  struct Step {
    int left, right, result;
  };
  using LeafAt = std::unordered_map<int, int>;  // index of the leaf that begins at a rank
  int plan(Subtree tree, std::span<const Subtree> leaves, const LeafAt& leaf_at, int depth);

  int leaves_;
  int temporaries_ = 0;
  std::vector<Step> steps_;
};

}  // namespace phalanx::comm
