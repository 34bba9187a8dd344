#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "comm/group.h"
#include "layout/partition.h"
#include "layout/schedule.h"
#include "parallel/flat_tensor.h"
#include "parallel/tensor_memory.h"

namespace phalanx::parallel {

// A bucket and the group of its replicas, null if there is one.
struct ReplicatedBucket {
  layout::Bucket bucket;
  std::shared_ptr<comm::Group> group;

  int index() const { return group ? group->rank() : 0; }
};

// The gradients of a rank, summed over the replicas of each bucket while backward still runs (Li et
// al., "PyTorch Distributed", VLDB 2020): whole, or where the bucket is sharded (layout::Bucket)
// each replica its slice, once a step or run by run with memory for whole gradients only while a
// run needs it (Rajbhandari et al. 2020, "ZeRO").
class GradientBuckets {
 public:
  // Of elements of this type and device, for schedules with this policy. Matrices travel as `wire`:
  // where that differs each rank's are rounded before the sum, and the sum once after; vectors,
  // some of which count, are never rounded. Allocates from the groups: all replicas make it at the
  // same point. `buckets` outlive it. Throws SystemError.
  GradientBuckets(const std::vector<ReplicatedBucket>& buckets, layout::GradientPolicy policy,
                  at::TensorOptions options, at::ScalarType wire);

  // What blocks add tensor `index` of bucket `bucket` to.
  at::Tensor view(std::size_t bucket, std::size_t index) const;

  // All gradients become zero.
  void begin_step();
  // Blocks will add to the chunk's gradients.
  void begin_pass(int chunk);
  // A use of the tensor has added all that comes before the chunk's next reduce. A bucket's sum
  // starts when it and those of its chunk and group before it are complete, so that replicas start
  // them in one order.
  void complete(const std::string& tensor);
  // All gradients of the chunk are complete, for this run or for the step.
  void reduce(int chunk);
  // Waits until all is summed (on a device with streams what is put on the default one does); the
  // next step begins. Throws CommError.
  void finish_step();

  // After finish_step: what this rank updates parameters by, its slice where the bucket is sharded.
  at::Tensor reduced(std::size_t bucket) const;
  // The slice that is this rank's alone among the replicas.
  at::Tensor owned(std::size_t bucket) const;

 private:
  struct Entry {
    FlatTensor flat;      // all that this rank adds, in the step or in a run
    at::Tensor slice;     // of the sum, where the bucket is sharded
    at::Tensor sent;      // flat as it travels
    at::Tensor arriving;  // the sum as it travels: all, or the slice
    comm::Work work;      // once started
    bool started = false;
    int missing = 0;  // uses that have not completed
  };
  const layout::Bucket& bucket(std::size_t index) const { return buckets_[index].bucket; }
  at::ScalarType wire_of(const layout::Bucket& bucket) const;
  std::int64_t registered_bytes() const;
  // Its sum waits for the end of the step, because its replicas have different runs or because it
  // is too small for sums of its own.
  bool is_late(std::size_t index) const;
  void expect_uses(std::size_t index);
  void start_complete_buckets(int chunk);
  void start(std::size_t index);
  void finish(std::size_t index);
  void settle_run(std::size_t index);

  const std::vector<ReplicatedBucket>& buckets_;
  layout::GradientPolicy policy_;
  at::TensorOptions options_;
  at::ScalarType wire_;
  CountedMemory registered_;
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> bucket_of_;  // by tensor
};

}  // namespace phalanx::parallel
