#include "parallel/schedule_executor.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "parallel/tensor_buffer.h"

namespace phalanx::parallel {
namespace {

using layout::Operation;
using layout::OperationKind;

bool gives_weight_gradients(OperationKind kind) {
  return kind == OperationKind::kBackward || kind == OperationKind::kBackwardWeight;
}

// Of each operation of a rank: whether it is the last that adds to its chunk's gradients before
// these are reduced.
std::vector<bool> last_before_reduce(const std::vector<Operation>& operations, int chunks) {
  std::vector<bool> last(operations.size());
  std::vector<bool> reduce_follows(static_cast<std::size_t>(chunks));
  for (std::size_t i = operations.size(); i-- > 0;) {
    const auto chunk = static_cast<std::size_t>(operations[i].chunk);
    if (operations[i].kind == OperationKind::kReduce) reduce_follows[chunk] = true;
    if (!gives_weight_gradients(operations[i].kind)) continue;
    last[i] = reduce_follows[chunk];
    reduce_follows[chunk] = false;
  }
  return last;
}

}  // namespace

// The state of a step under way.
class ScheduleExecutor::Run {
 public:
  Run(ScheduleExecutor& executor, const layout::Schedule& schedule,
      const std::vector<MicroBatch>& batches, const ExecutorHooks& hooks)
      : executor_(executor), schedule_(schedule), batches_(batches), hooks_(hooks) {
    rank_ = executor.pipeline_ ? executor.pipeline_->rank() : 0;
    keeps_ = std::ranges::any_of(schedule.ranks[static_cast<std::size_t>(rank_)],
                                 [](const Operation& o) { return layout::is_backward(o.kind); });
  }

  at::Tensor all() {
    const auto& operations = schedule_.ranks[static_cast<std::size_t>(rank_)];
    const auto last = last_before_reduce(operations, schedule_.chunks);
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (layout::is_compute(operations[i].kind)) start_receives(operations, i);
      execute(operations[i], last[i]);
    }
    for (auto& [peer, sent] : sent_) finish_sends(sent, 0);
    return loss_;
  }

 private:
  // A micro-batch's way through a chunk of this rank.
  struct Passage {
    Activations saved;
    at::Tensor output;           // until it is sent or taken by the next stage, if that is here
    at::Tensor output_gradient;  // once known
    at::Tensor input_gradient;   // as output
    comm::Work input_coming, gradient_coming;
  };
  struct Sent {
    comm::Work work;
    at::Tensor tensor;
  };

  Passage& passage(const Operation& operation) {
    return passages_[{operation.micro_batch, operation.chunk}];
  }
  const Chunk& chunk(const Operation& operation) const {
    return executor_.chunks_[static_cast<std::size_t>(operation.chunk)];
  }
  const MicroBatch& batch(const Operation& operation) const {
    return batches_[static_cast<std::size_t>(operation.micro_batch)];
  }
  int stage(const Operation& operation) const { return schedule_.stage(rank_, operation.chunk); }
  bool is_last(const Operation& operation) const {
    return stage(operation) == schedule_.stages() - 1;
  }
  // The same micro-batch's passage through the stage `step` away, which is this rank's.
  Passage& neighbour(const Operation& operation, int step) {
    return passages_[{operation.micro_batch, schedule_.chunk_of(stage(operation) + step)}];
  }

  void execute(const Operation& operation, bool last_before_reduce) {
    if (layout::is_compute(operation.kind)) {
      if (hooks_.enter) hooks_.enter(operation);
      if (executor_.mask_) executor_.mask_->first_visible = batch(operation).first_visible;
    }
    switch (operation.kind) {
      case OperationKind::kForward:
        return forward(operation);
      case OperationKind::kRecompute:
        return recompute(operation);
      case OperationKind::kBackward:
        return backward(operation, last_before_reduce);
      case OperationKind::kBackwardInput:
        return backward_input(operation);
      case OperationKind::kBackwardWeight:
        return backward_weight(operation, last_before_reduce);
      case OperationKind::kGather:
        return hooks_.gather ? hooks_.gather(operation.chunk) : void();
      case OperationKind::kFree:
        return hooks_.free ? hooks_.free(operation.chunk) : void();
      case OperationKind::kReduce:
        return hooks_.reduce ? hooks_.reduce(operation.chunk) : void();
      case OperationKind::kSendActivation:
        return send(operation, std::exchange(passage(operation).output, {}));
      case OperationKind::kSendGradient:
        return send(operation, std::exchange(passage(operation).input_gradient, {}));
      case OperationKind::kReceiveActivation:
      case OperationKind::kReceiveGradient:
        return;  // started with the pass before
    }
  }

  void start_receives(const std::vector<Operation>& operations, std::size_t here) {
    for (const auto end = layout::next_pass(operations, here); receives_started_ < end;
         ++receives_started_) {
      const auto& operation = operations[receives_started_];
      if (!layout::is_receive(operation.kind)) continue;
      auto& at = passage(operation);
      if (operation.kind == OperationKind::kReceiveActivation)
        at.input_coming = receive(operation, at.saved.input);
      else
        at.gradient_coming = receive(operation, at.output_gradient);
    }
  }

  void forward(const Operation& operation) {
    auto& at = passage(operation);
    if (stage(operation) == 0)
      at.saved.input = batch(operation).inputs;
    else if (!schedule_.crosses(rank_, operation.chunk, -1))
      at.saved.input = std::exchange(neighbour(operation, -1).output, {});
    else
      at.input_coming.wait(comm::DeviceStream{});
    const bool recomputed = schedule_.recomputed[static_cast<std::size_t>(stage(operation))];
    const auto input = at.saved.input;
    auto output = keeps_ && !recomputed ? chunk(operation).forward(input, at.saved, hooks_.watch)
                                        : chunk(operation).forward(input, hooks_.watch);
    if (!keeps_ || !recomputed) at.saved.input = at::Tensor();
    if (!is_last(operation)) {
      at.output = std::move(output);
      return;
    }
    add_loss(executor_.loss_(output, batch(operation).targets));
    if (keeps_ && !recomputed) at.output_gradient = std::move(output);
  }

  void add_loss(at::Tensor loss) { loss_ = loss_.defined() ? loss_.add_(loss) : std::move(loss); }

  void recompute(const Operation& operation) {
    auto& at = passage(operation);
    const auto input = std::exchange(at.saved.input, {});
    auto output = chunk(operation).forward(input, at.saved, hooks_.watch);
    if (!is_last(operation)) return;
    executor_.loss_(output, batch(operation).targets);
    at.output_gradient = std::move(output);
  }

  at::Tensor take_output_gradient(const Operation& operation) {
    auto& at = passage(operation);
    if (!is_last(operation)) {
      if (schedule_.crosses(rank_, operation.chunk, 1))
        at.gradient_coming.wait(comm::DeviceStream{});
      else
        at.output_gradient = std::exchange(neighbour(operation, 1).input_gradient, {});
    }
    return std::exchange(at.output_gradient, {});
  }

  void keep_input_gradient(const Operation& operation, at::Tensor gradient) {
    if (stage(operation) > 0) passage(operation).input_gradient = std::move(gradient);
  }

  Chunk::GradientReady ready(bool last_before_reduce) const {
    if (last_before_reduce && hooks_.ready) return hooks_.ready;
    return [](const std::string&) {};
  }

  void backward(const Operation& operation, bool last) {
    keep_input_gradient(
        operation, chunk(operation).backward(take_output_gradient(operation),
                                             passage(operation).saved, ready(last), hooks_.watch));
  }

  void backward_input(const Operation& operation) {
    keep_input_gradient(operation,
                        chunk(operation).backward_input(take_output_gradient(operation),
                                                        passage(operation).saved, hooks_.watch));
  }

  void backward_weight(const Operation& operation, bool last) {
    chunk(operation).backward_weight(passage(operation).saved, ready(last));
  }

  void send(const Operation& operation, at::Tensor tensor) {
    const int peer = schedule_.peer(rank_, operation);
    auto& sent = sent_[peer];
    tensor = tensor.contiguous();
    auto work = executor_.pipeline_->send(buffer_of(tensor), peer);
    sent.push_back({std::move(work), std::move(tensor)});
    // Not as soon as it can be freed, so that a step's memory is the same each time.
    finish_sends(sent, schedule_.unreceived);
  }

  // Until no more than `most` are under way.
  static void finish_sends(std::deque<Sent>& sent, std::size_t most) {
    for (; sent.size() > most; sent.pop_front()) sent.front().work.wait(comm::DeviceStream{});
  }

  comm::Work receive(const Operation& operation, at::Tensor& tensor) {
    tensor = executor_.boundary_(batch(operation).inputs);
    return executor_.pipeline_->receive(buffer_of(tensor), schedule_.peer(rank_, operation));
  }

  ScheduleExecutor& executor_;
  const layout::Schedule& schedule_;
  const std::vector<MicroBatch>& batches_;
  const ExecutorHooks& hooks_;
  int rank_ = 0;
  bool keeps_ = false;  // a backward pass follows
  at::Tensor loss_;
  std::size_t receives_started_ = 0;                 // of the operations before this one
  std::map<std::pair<int, int>, Passage> passages_;  // by micro-batch and chunk
  std::map<int, std::deque<Sent>> sent_;             // by receiver, oldest first
};

ScheduleExecutor::ScheduleExecutor(std::vector<Chunk> chunks, Loss loss, Boundary boundary,
                                   std::shared_ptr<comm::Group> pipeline,
                                   std::shared_ptr<DocumentMask> mask)
    : chunks_(std::move(chunks)),
      loss_(std::move(loss)),
      boundary_(std::move(boundary)),
      pipeline_(std::move(pipeline)),
      mask_(std::move(mask)) {}

at::Tensor ScheduleExecutor::run(const layout::Schedule& schedule,
                                 const std::vector<MicroBatch>& batches,
                                 const ExecutorHooks& hooks) {
  check(schedule.micro_batches == static_cast<int>(batches.size()) &&
            schedule.chunks == static_cast<int>(chunks_.size()),
        "a schedule is made for the micro-batches and chunks that it runs");
  return Run(*this, schedule, batches, hooks).all();
}

}  // namespace phalanx::parallel
