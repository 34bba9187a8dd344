#include "comm/group.h"

#include <fmt/format.h>

#include "base/check.h"
#include "comm/work.h"

namespace phalanx::comm {
namespace {

const char* verdict(CommError::Kind kind) {
  switch (kind) {
    case CommError::Kind::kPeerDied:
      return "died";
    case CommError::Kind::kTimeout:
      return "did not take part in time";
    case CommError::Kind::kAborted:
      return "ended the generation";
    case CommError::Kind::kMismatch:
      return "does something else";
  }
  return "failed";
}

std::string describe(CommError::Kind kind, int peer, Operation operation, std::uint64_t sequence,
                     std::uint64_t generation, const std::string& detail) {
  const std::string who = peer >= 0 ? fmt::format("rank {}", peer) : "nobody known";
  return fmt::format("{} {} of generation {}: {} {}: {}", operation_name(operation), sequence,
                     generation, who, verdict(kind), detail);
}

const char* advice(CommError::Kind kind) {
  if (kind != CommError::Kind::kMismatch) return "";
  return "every member must start the same operations of a group, of the same sizes, in the same "
         "order";
}

}  // namespace

const char* operation_name(Operation operation) {
  switch (operation) {
    case Operation::kAllReduce:
      return "all_reduce";
    case Operation::kReduceScatter:
      return "reduce_scatter";
    case Operation::kAllGather:
      return "all_gather";
    case Operation::kBroadcast:
      return "broadcast";
    case Operation::kGather:
      return "gather";
    case Operation::kScatter:
      return "scatter";
    case Operation::kAllToAll:
      return "all_to_all";
    case Operation::kSend:
      return "send";
    case Operation::kReceive:
      return "receive";
    case Operation::kBarrier:
      return "barrier";
  }
  return "unknown";
}

const char* reduction_name(Reduction reduction) {
  switch (reduction) {
    case Reduction::kSum:
      return "sum";
    case Reduction::kMax:
      return "max";
    case Reduction::kMin:
      return "min";
  }
  return "unknown";
}

CommError::CommError(Kind kind, int peer, Operation operation, std::uint64_t sequence,
                     std::uint64_t generation, const std::string& detail)
    : Error(describe(kind, peer, operation, sequence, generation, detail), advice(kind)),
      kind_(kind),
      peer_(peer),
      operation_(operation),
      sequence_(sequence),
      generation_(generation) {}

void Work::wait() {
  check(state_ != nullptr, "wait() on a Work that stands for no operation");
  state_->wait();
}

void Work::wait(DeviceStream stream) {
  check(state_ != nullptr, "wait() on a Work that stands for no operation");
  state_->wait_on(stream);
}

bool Work::done() const { return state_ == nullptr || state_->done(); }

}  // namespace phalanx::comm
