#include <algorithm>

#include "layout/block_peaks.h"
#include "layout/expert_memory.h"
#include "layout/expert_specs.h"

namespace phalanx::layout {
namespace {

// Bytes of what a layer with experts moves and makes for the while, of all chunks together.
struct Rows {
  std::int64_t leaving, arriving, hidden;  // vectors of own choices, of this rank's experts
  std::int64_t order;                      // of all these rows

  Rows(const config::Model& model, const MicroBatchShape& shape, ElementBytes each) {
    const auto choices = shape.own_tokens() * model.experts_per_token;
    leaving = choices * model.width * each.values;
    arriving = shape.expert_rows * model.width * each.values;
    hidden = shape.expert_rows * expert_width(model) * each.values;
    const auto ordered = choices + (shape.expert_ranks > 1 ? shape.expert_rows : 0);
    order = SavedElements{0, 0, 2 * ordered}.bytes(each);
  }
};

// What is under way at the worst moment, when the experts have computed the last chunk
// (parallel/expert_dispatch.h), beside what is kept in the end. `hidden`: of the experts, for the
// while.
std::int64_t under_way(const config::Model& model, const MicroBatchShape& shape, const Rows& rows,
                       std::int64_t hidden) {
  if (shape.expert_ranks == 1) return hidden;
  // Rows of several experts come by rank and are put in order, and back.
  const bool ordered = model.experts / shape.expert_ranks > 1;
  const auto of_ranks = ordered ? rows.arriving : 0;
  const auto computing = std::max(hidden + rows.arriving, rows.arriving + of_ranks);
  const auto back = shape.expert_chunks > 1 ? rows.arriving : 0;
  return (of_ranks + computing + back) / shape.expert_chunks;
}

}  // namespace

BlockPeaks expert_peaks(const config::Model& model, const MicroBatchShape& shape,
                        ElementBytes each) {
  const auto memory = expert_memory(model, shape);
  const Rows rows(model, shape, each);
  const auto own = shape.own_tokens() * model.width * each.values;
  // Routers compute in the type of sums, and their vectors' gradient is added in it.
  const auto in_sums = shape.own_tokens() * model.width * each.sums;
  const auto wide = each.values < each.sums ? in_sums : 0;
  const auto logits = shape.own_tokens() * model.experts * each.sums;
  BlockPeaks peaks{memory.after_forward.bytes(each), memory.after_backward_input.bytes(each)};
  // The normed input and the output.
  peaks.forward =
      peaks.kept + 2 * own + logits + rows.order + under_way(model, shape, rows, rows.hidden);
  const auto before_norm = peaks.kept_for_weight - 2 * own;
  const auto result = shape.expert_ranks == 1 ? rows.arriving : under_way(model, shape, rows, 0);
  const auto weights = shape.own_tokens() * model.experts_per_token * each.sums;
  const auto through_router = weights + in_sums + std::max(logits, 2 * wide);
  const auto through_experts = rows.order + result;
  peaks.backward_input = before_norm + 2 * own + std::max({through_experts, through_router, own});
  peaks.backward_weight = peaks.kept_for_weight + rows.order + wide;
  if (shape.expert_ranks > 1) {
    // The first chunk's gradients have taken the place of its results.
    const auto shared =
        model.preset == "qwen_moe" ? shape.own_tokens() * model.ffn_width * each.values : 0;
    peaks.shade =
        peaks.kept + 2 * own + weights + rows.order + shared + rows.arriving / shape.expert_chunks;
  }
  return peaks;
}

}  // namespace phalanx::layout
