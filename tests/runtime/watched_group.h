#pragma once

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "comm/group.h"
#include "runtime/mesh_groups.h"

namespace phalanx::runtime {

enum class WatchedAxis : std::uint8_t { kTensor, kContext, kExpert, kPipeline, kReplicas, kWorld };
const char* axis_name(WatchedAxis axis);

// A result of an operation in fp64 that has just arrived, in `slices` parts of the ranks.
struct Arrived {
  std::span<double> result;
  std::span<const double> before;  // what was there when the operation began
  std::span<const double> data;    // what this rank gave; empty where it gives nothing
  std::span<const double> first;   // the result of the first call with the same data's address
  int rank = 0, slices = 1;
};

// What goes wrong with the calls [first, last] of an operation in fp64 on an axis, counted from 0
// by rank, axis and operation, of those on buckets with `tensor` if one is named.
struct Fault {
  WatchedAxis axis = WatchedAxis::kWorld;
  comm::Operation operation = comm::Operation::kAllReduce;
  int first = 0, last = std::numeric_limits<int>::max();
  int rank = -1;  // of the job; -1: all
  std::string tensor = {};
  bool tensor_alone = false;                 // of a sum's result, what is this tensor's
  std::function<void(Arrived)> result = {};  // changes what arrives
  std::function<void(std::span<double>)> contribution = {};  // or what an all-reduce begins with
  bool swapped = false;  // or a message leaves behind the next one
};

// What the groups of a rank have moved, and the fault that they have. Belongs to the rank's thread.
class Watch {
 public:
  Watch(int rank, std::shared_ptr<const Fault> fault) : rank_(rank), fault_(std::move(fault)) {}

  // The groups of `groups`, watched. Outlives them.
  void wrap(MeshGroups& groups);
  int rank() const { return rank_; }
  // Bytes of the buffers handed to each group, by a name that begins with the axis: "tensor",
  // "replicas of embedding.weight".
  const std::map<std::string, std::size_t>& bytes() const { return bytes_; }
  // Bytes that the rank sends if collectives go around a ring, as planner/traffic.h counts.
  const std::map<WatchedAxis, double>& sent() const { return sent_; }

 private:
  friend class WatchedGroup;
  int rank_;
  std::shared_ptr<const Fault> fault_;
  std::map<std::string, std::size_t> bytes_;
  std::map<WatchedAxis, double> sent_;
  std::map<std::pair<WatchedAxis, comm::Operation>, int> calls_;  // that the fault counts
};

}  // namespace phalanx::runtime
