#pragma once

#include <ATen/core/Tensor.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "comm/group.h"
#include "layout/schedule.h"
#include "parallel/chunk.h"
#include "parallel/document_mask.h"

namespace phalanx::parallel {

// Sequences of one forward and backward pass: int64 [sequences, length], targets[s][i] is what
// follows inputs[s][i]. Where attention keeps to documents, first_visible[s][i] is the position at
// which the document of token i of the sequence begins in it, for all i, also where inputs and
// targets are a context rank's part.
struct MicroBatch {
  at::Tensor inputs;
  at::Tensor targets;
  at::Tensor first_visible = {};
};

// What an executor tells and asks while it runs a schedule; any may be left out.
struct ExecutorHooks {
  std::function<void(const layout::Operation&)> enter;  // a pass begins
  std::function<void(int chunk)> gather, free, reduce;
  // The gradient of a tensor has all that the rank adds to it before the chunk's next reduce.
  Chunk::GradientReady ready;
  Chunk::Watch watch;
};

// The part of one rank in the pipeline of a model, run by a schedule (layout/schedule.h).
class ScheduleExecutor {
 public:
  // The loss, summed over the tokens, one fp64 number [1] on their device; what the last chunk gave
  // becomes its gradient.
  using Loss = std::function<at::Tensor(at::Tensor& outputs, const at::Tensor& targets)>;
  // What flows from stage to stage for a micro-batch's inputs.
  using Boundary = std::function<at::Tensor(const at::Tensor& inputs)>;

  // `pipeline` is null for one rank. `boundary` makes an empty tensor of the shape and type. `mask`
  // is what the chunks read, null where they read none: it becomes that of the micro-batch before
  // each pass.
  ScheduleExecutor(std::vector<Chunk> chunks, Loss loss, Boundary boundary,
                   std::shared_ptr<comm::Group> pipeline,
                   std::shared_ptr<DocumentMask> mask = nullptr);

  const std::vector<Chunk>& chunks() const { return chunks_; }

  // One step: all of this rank's operations. Returns the loss if the model ends here, else an
  // undefined tensor. On a device with streams the host does not wait for what the step computes.
  // The schedule is that of all ranks of the pipeline, and checked (layout/schedule_check.h); one
  // without backward passes keeps nothing. Throws CommError.
  at::Tensor run(const layout::Schedule& schedule, const std::vector<MicroBatch>& batches,
                 const ExecutorHooks& hooks);

 private:
  class Run;

  std::vector<Chunk> chunks_;
  Loss loss_;
  Boundary boundary_;
  std::shared_ptr<comm::Group> pipeline_;
  std::shared_ptr<DocumentMask> mask_;
};

}  // namespace phalanx::parallel
