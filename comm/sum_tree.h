#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace phalanx::comm {

// The order of every sum: a binary tree over group ranks. A tree over n ranks has as its left
// subtree the largest power of two below n. docs/communication.md explains why.

// The ranks [begin, end) under one node of the tree.
struct Subtree {
  int begin = 0;
  int end = 0;
  int size() const { return end - begin; }
  friend bool operator==(const Subtree&, const Subtree&) = default;
};

// Where the left subtree of `tree` (of at least two ranks) ends.
int left_end(Subtree tree);

// The largest subtrees of the tree over [0, here.size()) whose ranks are all here, from left to
// right: what a node may sum beforehand without changing a bit of the result.
std::vector<Subtree> whole_subtrees(const std::vector<bool>& here);

// How to sum vectors that stand for `leaves`: disjoint subtrees that cover `tree`, in any order.
class SumPlan {
 public:
  SumPlan(Subtree tree, std::span<const Subtree> leaves);

  // Writes the sum of `count` elements of every leaf into every result. A result may be one of the
  // leaves (the same address), not overlap one otherwise.
  void run(std::span<const float* const> leaves, std::span<float* const> results,
           std::size_t count) const;

  int leaves() const { return leaves_; }

 private:
  // Operands below leaves_ are leaves, the others are temporary vectors.
  struct Addition {
    int left, right, sum;
  };
  int plan(Subtree tree, std::span<const Subtree> leaves, int depth);

  int leaves_;
  int temporaries_ = 0;
  std::vector<Addition> additions_;
};

}  // namespace phalanx::comm
