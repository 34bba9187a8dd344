#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <vector>

#include "parallel/block.h"
#include "parallel/flat_tensor.h"
#include "runtime/mesh_groups.h"

namespace phalanx::runtime {

// The parameters as the model computes with them: the state's own, or copies of these. In bf16 the
// matrices are rounded copies. Where a bucket is sharded each replica holds a slice and the copies
// are gathered: after every change of the state, or for a run only (layout::Bucket).
class ComputeWeights {
 public:
  // `state` and `groups` outlive it, and the state holds what is to be computed with.
  ComputeWeights(ModelState& state, const MeshGroups& groups, const std::string& precision);

  // Tensor `index` of bucket `bucket`.
  at::Tensor view(std::size_t bucket, std::size_t index) const;

  // Where whoever changes `count` elements of a part from `begin` on writes them rounded;
  // undefined where nothing is rounded.
  at::Tensor rounded(std::size_t part, std::int64_t begin, std::int64_t count) const;
  // The state has changed. All replicas call it at the same point, and compute afterwards: gathers
  // of what stays for the step begin. Throws CommError.
  void gather_changes();

  // Of a chunk's parameters that are there for runs only: gather() starts, and does not wait. Each
  // is awaited before free(). Throws CommError.
  void gather(int chunk);
  void free(int chunk);
  // Waits, or lets the device's default stream wait, until what the block computes with has been
  // gathered. Throws CommError.
  void await(const parallel::Block& block);

 private:
  struct Entry {
    parallel::FlatTensor flat;
    at::Tensor source;  // what this rank holds, of the same type: its slice, or all of flat
    comm::Work work;    // of the gather
    bool coming = false;
  };
  void start_gather(std::size_t bucket);
  static void await(Entry& entry);

  ModelState& state_;
  const MeshGroups& groups_;
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> bucket_of_;  // by tensor
};

}  // namespace phalanx::runtime
