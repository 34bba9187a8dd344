#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace phalanx::layout {

// What a rank of a pipeline does in one step, in order. Forward and backward are of one micro-batch
// through one chunk, the part of the model that a virtual stage holds. A backward pass is whole, or
// split in two (Qi et al. 2023, "Zero Bubble Pipeline Parallelism"): the gradient of the input,
// which the stage before waits for, and the gradient of the weights, which nobody waits for.
enum class OperationKind : std::uint8_t {
  kForward,
  kBackward,
  kBackwardInput,
  kBackwardWeight,
  kRecompute,          // forward again, for activations that forward did not keep
  kGather,             // parameters of the chunk from all who hold a shard; starts, does not wait
  kFree,               // of the gathered parameters
  kReduce,             // gradients of the chunk over data-parallel ranks; starts, does not wait
  kSendActivation,     // output of the chunk to the next stage; starts, does not wait
  kSendGradient,       // gradient of the chunk's input to the stage before; starts, does not wait
  kReceiveActivation,  // input of the chunk
  kReceiveGradient,    // gradient of the chunk's output
};

struct Operation {
  OperationKind kind = OperationKind::kForward;
  int micro_batch = 0;  // of the step; -1 for gather, free and reduce, which are the chunk's
  int chunk = 0;        // of the rank, in the order of forward

  bool operator==(const Operation&) const = default;
};
bool is_compute(OperationKind kind);       // forward, the three backwards and recompute
bool is_backward(OperationKind kind);      // the three backwards
bool uses_parameters(OperationKind kind);  // a pass, but the gradients of weights: they need none
bool is_send(OperationKind kind);
bool is_receive(OperationKind kind);
const char* name(OperationKind kind);
// The first pass behind operation `here` of a rank's list, or its end. What is received up to there
// is started before pass `here`, so that it can arrive while that one computes
// (parallel/schedule_executor.h).
std::size_t next_pass(const std::vector<Operation>& operations, std::size_t here);
std::string text(const Operation& operation);  // "forward of micro-batch 3, chunk 1"

// Which stage a chunk is, stages counted over the whole model.
enum class Placement : std::uint8_t {
  kLoop,  // chunk c of rank r is stage c * ranks + r (Narayanan et al. 2021)
  kV,     // two chunks: there and back, rank r has stages r and 2 * ranks - 1 - r
};

// Where the stages of a pipeline are.
struct StageMap {
  Placement placement = Placement::kLoop;
  int ranks = 1;   // of the pipeline
  int chunks = 1;  // of each rank

  int stages() const { return ranks * chunks; }
  int stage(int rank, int chunk) const;
  int rank_of(int stage) const;
  int chunk_of(int stage) const { return stage / ranks; }
};

// How a data-parallel group holds parameters and gradients of a chunk: ZeRO as seen by a schedule.
enum class ParameterPolicy : std::uint8_t {
  kResident,     // on every rank: no gather, no free
  kHeldForStep,  // gathered before the first use in a step, freed after the last
  kPerRun,       // gathered for each run, a series of passes through one chunk, and freed after it
};
enum class GradientPolicy : std::uint8_t {
  kLocal,        // one data-parallel rank: no reduce
  kOncePerStep,  // reduced when the last gradient of a chunk is complete
  kPerRun,       // reduced after each run in which weights received gradients
};

// A schedule as data. Builders make one of forward and backward passes; passes
// (schedule_passes.h) add the other operations and say so in the fields behind `ranks`, so that the
// checker knows what must be there.
struct Schedule {
  std::string name;
  Placement placement = Placement::kLoop;
  int chunks = 1;  // of each rank
  int micro_batches = 1;
  std::vector<std::vector<Operation>> ranks;

  ParameterPolicy parameters = ParameterPolicy::kResident;
  GradientPolicy gradients = GradientPolicy::kLocal;
  std::vector<bool> recomputed;  // by stage
  std::size_t unreceived = 0;    // messages to one rank that may be under way without a deadlock

  int rank_count() const { return static_cast<int>(ranks.size()); }
  StageMap map() const { return {placement, rank_count(), chunks}; }
  int stages() const { return map().stages(); }
  int stage(int rank, int chunk) const { return map().stage(rank, chunk); }
  int rank_of(int stage) const { return map().rank_of(stage); }
  int chunk_of(int stage) const { return map().chunk_of(stage); }
  // The rank that a send goes to or a receive comes from.
  int peer(int rank, const Operation& operation) const;
  // Whether the stage `step` (1 or -1) away from this chunk's is on another rank.
  bool crosses(int rank, int chunk, int step) const;
};

}  // namespace phalanx::layout
