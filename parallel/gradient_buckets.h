#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "comm/group.h"
#include "layout/flat_layout.h"
#include "parallel/tensor_memory.h"

namespace phalanx::parallel {

// The flat gradients of a data-parallel rank in memory that its group reaches directly, summed over
// the group bucket by bucket while backward still runs (Li et al., "PyTorch Distributed", VLDB
// 2020).
class GradientBuckets {
 public:
  // Allocates from the group: all members make it at the same point with the same specs. Throws
  // SystemError.
  GradientBuckets(std::shared_ptr<comm::Group> group, std::vector<layout::TensorSpec> specs,
                  std::int64_t bucket_bytes);

  // All gradients (layout::flat_layout(specs)); zeroed at first.
  std::span<float> flat() const { return flat_; }

  // The tensor's gradient is complete on this rank. A bucket's sum starts when it and all before it
  // are complete, so that every rank starts them in one order.
  void complete(const std::string& tensor);
  // All that is left is complete: a rank without samples has nothing to add.
  void complete_all();
  // Blocks until every bucket is summed; flat() then holds the sums. The next step begins. Throws
  // CommError.
  void wait();

 private:
  void start_complete_buckets();

  std::shared_ptr<comm::Group> group_;
  std::vector<layout::Bucket> buckets_;
  std::unordered_map<std::string, std::size_t> bucket_of_;  // by tensor
  std::vector<std::size_t> missing_;                        // tensors, by bucket
  std::vector<comm::Work> started_;
  std::span<float> flat_;
  CountedMemory counted_;
};

}  // namespace phalanx::parallel
