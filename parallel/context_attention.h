#pragma once

#include "kernels/attention.h"
#include "parallel/axis_groups.h"
#include "parallel/block.h"

namespace phalanx::parallel {

// Causal attention (kernels/attention.h) over sequences that context ranks divide in the zigzag
// split (layout/zigzag.h), in the way that the job has chosen; with one rank kernels::attention.
// Where there is a document mask, it is that of the micro-batch under way in both passes. Throws
// CommError.
class ContextAttention {
 public:
  ContextAttention(const AxisGroups& groups, kernels::HeadCounts heads)
      : groups_(groups), heads_(heads) {}

  bool moves() const { return groups_.context != nullptr; }

  // What every query sees: of q's shape. Appends what the way back needs to `saved`.
  at::Tensor forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     Saved& saved) const;
  // q, k and v become their gradients. `out` is forward's, and what it appended begins at `first`.
  void backward(const at::Tensor& dout, at::Tensor& q, at::Tensor& k, at::Tensor& v,
                const at::Tensor& out, Saved& saved, std::size_t first, Shade shade = {}) const;

 private:
  at::Tensor first_visible() const {
    return groups_.mask ? groups_.mask->first_visible : at::Tensor();
  }

  AxisGroups groups_;
  kernels::HeadCounts heads_;
};

}  // namespace phalanx::parallel
