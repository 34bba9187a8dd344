#include "planner/state_memory.h"

#include <algorithm>

#include "layout/element_bytes.h"

namespace phalanx::planner {
namespace {

using layout::Bucket;
using layout::Operation;
using layout::OperationKind;

bool is_matrices(const Bucket& bucket) { return bucket.tensors.front().shape.size() > 1; }

// Elements of the state: its own slice where the bucket is sharded.
std::int64_t kept(const Bucket& bucket) {
  return bucket.sharded ? bucket.slice() : bucket.flat.elements;
}

std::int64_t master_and_copies(const Bucket& bucket, layout::ElementBytes each) {
  const bool rounded = is_matrices(bucket) && each.values < each.sums;
  std::int64_t bytes = kept(bucket) * (each.sums + (rounded ? each.values : 0));
  if (bucket.sharded && !bucket.parameters_in_runs) bytes += bucket.flat.elements * each.values;
  return bytes;
}

// All gradients as they travel, where that is another memory.
std::int64_t rounded_gradients(const Bucket& bucket, layout::ElementBytes each) {
  const bool rounded = bucket.replicas.size() > 1 && layout::wire_bytes(bucket, each) < each.sums;
  return rounded ? bucket.flat.elements * layout::wire_bytes(bucket, each) : 0;
}

std::int64_t lasting_gradients(const Bucket& bucket, layout::ElementBytes each) {
  const auto slice = bucket.sharded ? bucket.slice() * each.sums : 0;
  if (bucket.gradients_in_runs) return slice;
  return slice + bucket.flat.elements * each.sums + rounded_gradients(bucket, each);
}

// The slice of a sharded sum that arrives.
std::int64_t arriving(const Bucket& bucket, layout::ElementBytes each) {
  return bucket.sharded ? bucket.slice() * layout::wire_bytes(bucket, each) : 0;
}

// It is added in the type of the slice, one bucket at a time.
std::int64_t widened(const Bucket& bucket, layout::ElementBytes each) {
  return bucket.sharded && layout::wire_bytes(bucket, each) < each.sums ? bucket.slice() * each.sums
                                                                        : 0;
}

// Bytes of a rank that come and go with its operations, by chunk.
class ComingAndGoing {
 public:
  ComingAndGoing(const std::vector<Bucket>& buckets, int chunks, layout::ElementBytes each)
      : buckets_(buckets), each_(each), chunks_(static_cast<std::size_t>(chunks)) {
    for (const auto& bucket : buckets) {
      auto& chunk = chunks_[static_cast<std::size_t>(bucket.chunk)];
      if (bucket.parameters_in_runs) chunk.parameters += bucket.flat.elements * each.values;
      if (!bucket.gradients_in_runs) continue;
      chunk.gradients += bucket.flat.elements * each.sums;
      chunk.travelling += rounded_gradients(bucket, each) + arriving(bucket, each);
      chunk.widened = std::max(chunk.widened, widened(bucket, each));
    }
  }

  void follow(const std::vector<Operation>& operations) {
    for (const auto& operation : operations) {
      auto& chunk = chunks_[static_cast<std::size_t>(operation.chunk)];
      if (operation.kind == OperationKind::kGather) chunk.gathered = true;
      if (operation.kind == OperationKind::kFree) chunk.gathered = false;
      if (layout::is_backward(operation.kind)) {
        if (chunk.sum_started) settle(chunk);
        chunk.adds = true;
      }
      if (operation.kind == OperationKind::kReduce) chunk.sum_started = true;
      note_peak(0);
      // Sums have the time of the next run, and end with it.
      if (operation.kind != OperationKind::kReduce) continue;
      for (auto& other : chunks_)
        if (&other != &chunk && other.sum_started) settle(other);
    }
    finish();
  }

  std::int64_t peak_parameters() const { return peak_parameters_; }
  std::int64_t peak_gradients() const { return peak_gradients_; }

 private:
  struct Chunk {
    std::int64_t parameters = 0, gradients = 0, travelling = 0,
                 widened = 0;  // while they are there
    bool gathered = false, adds = false, sum_started = false;
  };

  void settle(Chunk& chunk) {
    note_peak(chunk.widened);
    chunk.adds = chunk.sum_started = false;
  }

  // In the order of the buckets the last runs' sums end, and those that wait for the end of the
  // step begin.
  void finish() {
    std::int64_t more = 0, widest = 0;  // than is noted
    for (const auto& bucket : buckets_) {
      const bool in_last_run = chunks_[static_cast<std::size_t>(bucket.chunk)].sum_started;
      if (bucket.gradients_in_runs && in_last_run) {
        note_peak(more + widened(bucket, each_));
        more -= bucket.flat.elements * each_.sums + rounded_gradients(bucket, each_) +
                arriving(bucket, each_);
      } else if (!bucket.gradients_in_runs) {
        more += arriving(bucket, each_);
        widest = std::max(widest, widened(bucket, each_));
        note_peak(more);
      }
    }
    note_peak(more + widest);
  }

  void note_peak(std::int64_t more_gradients) {
    std::int64_t parameters = 0, gradients = more_gradients;
    for (const auto& chunk : chunks_) {
      if (chunk.gathered) parameters += chunk.parameters;
      if (chunk.adds) gradients += chunk.gradients;
      if (chunk.sum_started) gradients += chunk.travelling;
    }
    peak_parameters_ = std::max(peak_parameters_, parameters);
    peak_gradients_ = std::max(peak_gradients_, gradients);
  }

  const std::vector<Bucket>& buckets_;
  layout::ElementBytes each_;
  std::vector<Chunk> chunks_;
  std::int64_t peak_parameters_ = 0, peak_gradients_ = 0;
};

}  // namespace

StateMemory state_memory(const config::Job& job, const std::vector<Bucket>& buckets,
                         const layout::Schedule& schedule, int pipeline_rank) {
  const auto each = layout::element_bytes(job);
  StateMemory memory;
  for (const auto& bucket : buckets) {
    memory.parameters += master_and_copies(bucket, each);
    memory.gradients += lasting_gradients(bucket, each);
    memory.optimizer += 2 * kept(bucket) * each.sums;
  }
  ComingAndGoing runs(buckets, schedule.chunks, each);
  runs.follow(schedule.ranks[static_cast<std::size_t>(pipeline_rank)]);
  memory.parameters += runs.peak_parameters();
  memory.gradients += runs.peak_gradients();
  return memory;
}

}  // namespace phalanx::planner
