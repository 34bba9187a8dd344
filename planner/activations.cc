#include "planner/activations.h"

#include <algorithm>
#include <map>

#include "layout/block_peaks.h"
#include "layout/recompute.h"

namespace phalanx::planner {
namespace {

using layout::BlockPeaks;
using layout::Operation;
using layout::OperationKind;

std::vector<BlockPeaks> blocks_of(const config::Job& job, const layout::StageLayers& layers,
                                  layout::MicroBatchShape shape, layout::Recompute recompute) {
  using layout::BlockKind;
  std::vector<BlockPeaks> blocks;
  shape.attention_recomputed = recompute == layout::Recompute::kSelective;
  const auto add = [&](BlockKind kind) {
    blocks.push_back(layout::block_peaks(job.model, kind, shape, layout::element_bytes(job)));
  };
  if (layers.embedding) add(BlockKind::kEmbedding);
  for (auto layer = layers.first; layer < layers.last; ++layer) {
    add(BlockKind::kAttention);
    add(BlockKind::kFeedForward);
  }
  if (layers.head) add(BlockKind::kHead);
  return blocks;
}

// Bytes that flow into and out of stages.
struct Flow {
  std::int64_t boundary = 0, logits = 0;
};

// A rank's step.
class Walk {
 public:
  Walk(const layout::Schedule& schedule, int rank,
       const std::vector<std::vector<BlockPeaks>>& stages, Flow flow)
      : schedule_(schedule), rank_(rank), stages_(stages), flow_(flow) {}

  std::int64_t peak() {
    const auto& operations = schedule_.ranks[static_cast<std::size_t>(rank_)];
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (layout::is_compute(operations[i].kind)) start_receives(operations, i);
      run(operations[i]);
    }
    return peak_;
  }

 private:
  void run(const Operation& operation) {
    const int stage = schedule_.stage(rank_, operation.chunk);
    const auto& blocks = stages_[static_cast<std::size_t>(stage)];
    const bool recomputed = schedule_.recomputed[static_cast<std::size_t>(stage)];
    switch (operation.kind) {
      case OperationKind::kForward:
        if (recomputed)
          pass(blocks, input_of(stage));
        else
          keep(blocks, input_of(stage));
        if (!is_last(stage) || !recomputed) held_ += output_of(stage);
        return;
      case OperationKind::kRecompute:
        keep(blocks, input_of(stage));
        if (is_last(stage)) held_ += flow_.logits;
        return;
      case OperationKind::kBackward:
        return backward(blocks, stage);
      case OperationKind::kBackwardInput:
        return backward_input(blocks, stage);
      case OperationKind::kBackwardWeight:
        return backward_weight(blocks);
      case OperationKind::kSendActivation:
      case OperationKind::kSendGradient:
        return send(schedule_.peer(rank_, operation));
      default:
        return;
    }
  }

  bool is_last(int stage) const { return stage == schedule_.stages() - 1; }
  std::int64_t input_of(int stage) const { return stage == 0 ? 0 : flow_.boundary; }
  std::int64_t output_of(int stage) const { return is_last(stage) ? flow_.logits : flow_.boundary; }

  void note(std::int64_t beside) { peak_ = std::max(peak_, held_ + beside); }
  void start_receives(const std::vector<Operation>& operations, std::size_t here) {
    for (const auto end = layout::next_pass(operations, here); receives_started_ < end;
         ++receives_started_)
      if (layout::is_receive(operations[receives_started_].kind)) held_ += flow_.boundary;
  }

  // Forward; the blocks count the input, of which the first keeps what there is to keep.
  void keep(const std::vector<BlockPeaks>& blocks, std::int64_t input) {
    held_ -= input;
    for (const auto& block : blocks) {
      note(block.forward);
      held_ += block.kept;
    }
  }
  // Forward with nothing kept but the input.
  void pass(const std::vector<BlockPeaks>& blocks, std::int64_t input) {
    for (std::size_t i = 0; i < blocks.size(); ++i) note(blocks[i].forward - (i == 0 ? input : 0));
  }

  void backward(const std::vector<BlockPeaks>& blocks, int stage) {
    held_ -= output_of(stage);
    std::int64_t weight = 0;  // that the block behind still has to do
    for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
      const bool behind = block != blocks.rbegin();
      if (behind && block->shade == 0) note(weight + flow_.boundary);
      held_ -= block->kept;
      if (behind && block->shade > 0) note(weight + block->shade);
      note(block->backward_input);
      weight = block->backward_weight;
    }
    held_ += input_of(stage);
    note(weight);
  }

  void backward_input(const std::vector<BlockPeaks>& blocks, int stage) {
    held_ -= output_of(stage);
    for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
      held_ -= block->kept;
      note(block->backward_input);
      held_ += block->kept_for_weight;
    }
    held_ += input_of(stage);
  }

  void backward_weight(const std::vector<BlockPeaks>& blocks) {
    for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
      held_ -= block->kept_for_weight;
      note(block->backward_weight);
    }
  }

  // What waits to be sent is held until others have been.
  void send(int peer) {
    if (++sent_[peer] > schedule_.unreceived) {
      --sent_[peer];
      held_ -= flow_.boundary;
    }
  }

  const layout::Schedule& schedule_;
  int rank_;
  const std::vector<std::vector<BlockPeaks>>& stages_;
  Flow flow_;
  std::int64_t held_ = 0, peak_ = 0;
  std::size_t receives_started_ = 0;  // of the operations before this one
  std::map<int, std::size_t> sent_;   // messages that are held, by receiver
};

}  // namespace

std::vector<std::int64_t> step_activations(const config::Job& job,
                                           const layout::Partition& partition,
                                           const layout::Schedule& schedule, const StepShape& step,
                                           const layout::MicroBatchShape& shape) {
  const auto each = layout::element_bytes(job);
  std::vector<std::vector<BlockPeaks>> stages;
  for (int stage = 0; stage < partition.map.stages(); ++stage)
    stages.push_back(blocks_of(job, partition.stages[static_cast<std::size_t>(stage)], shape,
                               layout::recompute_of(job.parallel, stage)));
  const Flow flow{layout::boundary_bytes(job.model, shape, each),
                  shape.all_tokens() * shape.words(job.model.vocab_size) * each.values};
  // Where each token's document begins, of whole sequences.
  const auto masks =
      job.data.attention_mask == "document" ? step.tokens * partition.mesh.sizes().context : 0;
  const auto tokens = layout::SavedElements{0, 0, 2 * step.tokens + masks}.bytes(each);
  std::vector<std::int64_t> peaks;
  for (int rank = 0; rank < schedule.rank_count(); ++rank)
    peaks.push_back(tokens + Walk(schedule, rank, stages, flow).peak());
  return peaks;
}

}  // namespace phalanx::planner
