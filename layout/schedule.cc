#include "layout/schedule.h"

#include <fmt/format.h>

namespace phalanx::layout {

bool is_backward(OperationKind kind) {
  return kind == OperationKind::kBackward || kind == OperationKind::kBackwardInput ||
         kind == OperationKind::kBackwardWeight;
}

bool is_compute(OperationKind kind) {
  return is_backward(kind) || kind == OperationKind::kForward || kind == OperationKind::kRecompute;
}

bool uses_parameters(OperationKind kind) {
  return is_compute(kind) && kind != OperationKind::kBackwardWeight;
}

std::size_t next_pass(const std::vector<Operation>& operations, std::size_t here) {
  std::size_t next = here + 1;
  while (next < operations.size() && !is_compute(operations[next].kind)) ++next;
  return next;
}

bool is_send(OperationKind kind) {
  return kind == OperationKind::kSendActivation || kind == OperationKind::kSendGradient;
}

bool is_receive(OperationKind kind) {
  return kind == OperationKind::kReceiveActivation || kind == OperationKind::kReceiveGradient;
}

const char* name(OperationKind kind) {
  switch (kind) {
    case OperationKind::kForward:
      return "forward";
    case OperationKind::kBackward:
      return "backward";
    case OperationKind::kBackwardInput:
      return "backward-input";
    case OperationKind::kBackwardWeight:
      return "backward-weight";
    case OperationKind::kRecompute:
      return "recompute";
    case OperationKind::kGather:
      return "gather";
    case OperationKind::kFree:
      return "free";
    case OperationKind::kReduce:
      return "reduce";
    case OperationKind::kSendActivation:
      return "send of activation";
    case OperationKind::kSendGradient:
      return "send of gradient";
    case OperationKind::kReceiveActivation:
      return "receive of activation";
    case OperationKind::kReceiveGradient:
      return "receive of gradient";
  }
  return "";
}

std::string text(const Operation& operation) {
  if (operation.micro_batch < 0)
    return fmt::format("{} of chunk {}", name(operation.kind), operation.chunk);
  return fmt::format("{} of micro-batch {}, chunk {}", name(operation.kind), operation.micro_batch,
                     operation.chunk);
}

int StageMap::stage(int rank, int chunk) const {
  if (placement == Placement::kV && chunk == 1) return 2 * ranks - 1 - rank;
  return chunk * ranks + rank;
}

int StageMap::rank_of(int stage) const {
  if (placement == Placement::kV && stage >= ranks) return 2 * ranks - 1 - stage;
  return stage % ranks;
}

int Schedule::peer(int rank, const Operation& operation) const {
  const bool next = operation.kind == OperationKind::kSendActivation ||
                    operation.kind == OperationKind::kReceiveGradient;
  return rank_of(stage(rank, operation.chunk) + (next ? 1 : -1));
}

bool Schedule::crosses(int rank, int chunk, int step) const {
  const int neighbour = stage(rank, chunk) + step;
  return 0 <= neighbour && neighbour < stages() && rank_of(neighbour) != rank;
}

}  // namespace phalanx::layout
