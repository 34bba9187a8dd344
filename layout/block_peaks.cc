#include "layout/block_peaks.h"

#include <algorithm>

#include "layout/block_sizes.h"
#include "layout/exchanged_heads.h"

namespace phalanx::layout {
namespace {

// What attention needs beside queries, keys and values side by side: forward with what comes of it,
// backward without the gradient that it is given.
struct AttentionPeaks {
  std::int64_t forward, backward;
};

// Elements in which attention lays out the keys and values of a head and its tiles
// (kernels/cpu/attention_shape.h): rows an odd number of 16 apart, tiles of 64 queries and 128
// keys.
constexpr std::int64_t kPanel = 16, kQueries = 64, kKeys = 128, kTileStride = kKeys | kPanel;

AttentionPeaks scratch(std::int64_t keys, std::int64_t head_width) {
  const auto stride = (head_width + kPanel - 1) / kPanel * kPanel | kPanel;
  const auto across = (keys + kKeys - 1) / kKeys * head_width * kTileStride;
  const auto along = keys * stride, tiles = kQueries * (kTileStride + stride);
  return {across + along + 2 * tiles, 2 * across + 3 * along + 3 * tiles};
}

// What all blocks of a rank have to do with.
class Passes {
 public:
  Passes(const config::Model& model, BlockKind kind, MicroBatchShape shape, ElementBytes each)
      : model_(model),
        s_(model, shape),
        each_(each),
        ring_(shape.ring_ranks),
        length_(shape.length) {
    own_ = s_.own * s_.width * each.values;
    all_ = s_.all * s_.width * each.values;
    gathered_ = s_.apart ? all_ : 0;
    logits_ = s_.all * shape.words(model.vocab_size) * each.values;
    shape.attention_recomputed = false;
    const auto memory = block_memory(model, kind, shape);
    peaks_ = {memory.after_forward.bytes(each), memory.after_backward_input.bytes(each)};
  }

  BlockPeaks embedding() {
    const auto tokens = SavedElements{0, 0, s_.all}.bytes(each_);
    peaks_.kept -= tokens;
    peaks_.kept_for_weight -= tokens;
    peaks_.forward = all_ + (s_.apart ? own_ : 0);
    if (is_gpt2()) peaks_.forward = std::max(peaks_.forward, 2 * own_ + peaks_.kept);
    peaks_.backward_input = own_ + peaks_.kept + gathered_;
    if (s_.apart) peaks_.shade = peaks_.backward_input;
    peaks_.backward_weight = peaks_.kept_for_weight;
    return peaks_;
  }

  BlockPeaks attention() {
    const auto columns = (s_.heads + 2 * s_.kv_heads) * s_.head_width;
    const auto projected = s_.all * columns * each_.values;
    const auto [forward, backward] = inside_attention();
    // Fewer key-value heads than ranks lie apart from the queries: two products, then joined.
    const bool in_two = model_.kv_heads < model_.heads / s_.heads;
    const auto beside = own_ + norm_while_used();
    peaks_.forward =
        std::max({2 * own_ + gathered_ + (in_two ? 2 : 1) * projected, beside + projected + forward,
                  peaks_.kept + output() + norm_while_used()});
    const auto attended = s_.all * s_.heads * s_.head_width * each_.values;
    peaks_.backward_input = own_ + peaks_.kept + gathered_ + attended +
                            std::max(backward, norm_backward() + (in_two ? projected : 0));
    if (s_.apart || ring_ > 1 || s_.exchange > 1)
      peaks_.shade = own_ + peaks_.kept + gathered_ + attended + (s_.apart ? 0 : first_exchange());
    peaks_.backward_weight = peaks_.kept_for_weight + gathered_ + (in_two ? attended : 0);
    return peaks_;
  }

  BlockPeaks feed_forward() {
    const auto hidden = s_.all * s_.ffn * each_.values;
    peaks_.forward = std::max(2 * own_ + gathered_ + hidden,
                              peaks_.kept + output() + hidden + norm_while_used());
    peaks_.backward_input = own_ + peaks_.kept + gathered_ + hidden + norm_backward();
    if (s_.apart) peaks_.shade = own_ + peaks_.kept + gathered_ + hidden;
    peaks_.backward_weight = peaks_.kept_for_weight + gathered_;
    return peaks_;
  }

  BlockPeaks head() {
    peaks_.forward = peaks_.kept + own_ + gathered_ + logits_;
    peaks_.backward_input = logits_ + peaks_.kept + norm_backward();
    peaks_.backward_weight = peaks_.kept_for_weight + gathered_;
    return peaks_;
  }

 private:
  bool is_gpt2() const { return model_.preset == "gpt2"; }

  // The norm's output, where it stays until the block is done.
  std::int64_t norm_while_used() const { return is_gpt2() ? 0 : own_; }

  // The sums of blocks of columns, as they leave and as they come, and what they are put into.
  std::int64_t output() const { return own_ + (s_.apart ? gathered_ + own_ : 0); }

  // From the gradient of all tokens' normed vectors to that of own tokens' inputs.
  std::int64_t norm_backward() const {
    const auto vectors = (is_gpt2() ? 2 : 1) * s_.width * each_.sums;
    return std::max(all_ + (s_.apart ? 2 * own_ : 0), 2 * own_ + vectors);
  }

  AttentionPeaks inside_attention() const {
    const auto attended = s_.all * s_.heads * s_.head_width;
    const auto key_values = 2 * s_.all * s_.kv_heads * s_.head_width;
    const auto sums = s_.all * s_.heads * each_.sums;
    if (s_.exchange > 1) return by_exchange(attended, key_values, sums);
    // The kernel's keys: all, or one piece of two that a rank of the ring has.
    auto kernel = scratch(ring_ == 1 ? length_ : length_ / 2, s_.head_width);
    kernel.forward *= each_.sums;
    kernel.backward *= each_.sums;
    if (ring_ == 1) return {attended * each_.values + sums + kernel.forward, kernel.backward};
    const auto rounded = each_.values < each_.sums ? attended * each_.values : 0;
    const auto going = 2 * key_values * each_.values;
    // Gradients of the own ones, of those at hand, and one or two on their way.
    const auto gradients = (ring_ > 2 ? 4 : 3) * key_values * each_.sums;
    return {going + attended * each_.sums + sums + std::max(rounded, kernel.forward),
            going + attended * each_.sums + gradients + kernel.backward};
  }

  // Backward, while the first that context ranks exchange is on its way.
  std::int64_t first_exchange() const {
    const auto attended = s_.all * s_.heads * s_.head_width;
    const auto key_values = 2 * s_.all * s_.kv_heads * s_.head_width;
    if (s_.exchange > 1)
      return 2 * attended * each_.values / exchanged_head_groups(s_.kv_heads, s_.exchange);
    return 2 * key_values * each_.values + (attended + key_values) * each_.sums;
  }

  // Group by group (parallel/ulysses_attention.cc): as heads are laid out for the others, as they
  // come, and in the order of the sequence.
  AttentionPeaks by_exchange(std::int64_t attended, std::int64_t key_values,
                             std::int64_t sums) const {
    const auto groups = exchanged_head_groups(s_.kv_heads, s_.exchange);
    const auto kv_heads = std::max<std::int64_t>(1, s_.kv_heads / s_.exchange) * s_.exchange;
    const auto kernel = scratch(length_ * s_.exchange, s_.head_width);
    const auto all_out = attended * each_.values, out = all_out / groups, own_sums = sums / groups;
    const auto projected =
        s_.all * (s_.heads + 2 * kv_heads) * s_.head_width * each_.values / groups;
    const auto gradients = key_values * each_.sums;
    AttentionPeaks peaks{0, 0};
    for (std::int64_t group = 0; group < groups; ++group) {
      const bool first = group == 0, last = group + 1 == groups;
      // Forward: at first the group's projections, then its outputs, are laid out three times.
      const auto done = (group + 1) * (projected + out + own_sums);
      const auto before = done - projected - out - own_sums + (group > 1 ? all_out : 0);
      const auto attending =
          projected +
          std::max(2 * projected, out + own_sums + std::max(kernel.forward * each_.sums, out));
      const auto coming = last ? 0 : 2 * projected;
      peaks.forward = std::max({peaks.forward, before + coming + (first ? 0 : 2 * out) + attending,
                                done + coming + 2 * out + (first ? 0 : all_out),
                                last ? done + out + all_out : 0});
      // Backward: the gradients of outputs, then of projections.
      const auto returning = std::max({3 * out, out + kernel.backward * each_.sums, projected}) +
                             (first ? 0 : 2 * projected) + (group > 1 ? gradients : 0);
      const auto next = last ? 0 : 2 * out;
      peaks.backward = std::max({peaks.backward, next + returning,
                                 next + 2 * projected + (first ? 0 : gradients),
                                 last ? projected + gradients : 0});
    }
    return peaks;
  }

  const config::Model& model_;
  BlockSizes s_;
  ElementBytes each_;
  std::int64_t ring_, length_;
  std::int64_t own_, all_, gathered_, logits_;  // own and all tokens' vectors; all that are others'
  BlockPeaks peaks_;
};

// Its input alone is kept, and backward_input begins with forward.
BlockPeaks recomputed(BlockPeaks peaks, std::int64_t vectors) {
  peaks.kept = vectors;
  peaks.shade = 0;
  peaks.backward_input = std::max(peaks.backward_input, vectors + peaks.forward);
  return peaks;
}

}  // namespace

BlockPeaks block_peaks(const config::Model& model, BlockKind kind, const MicroBatchShape& shape,
                       ElementBytes each) {
  Passes passes(model, kind, shape, each);
  switch (kind) {
    case BlockKind::kEmbedding:
      return passes.embedding();
    case BlockKind::kAttention:
      return shape.attention_recomputed
                 ? recomputed(passes.attention(), boundary_bytes(model, shape, each))
                 : passes.attention();
    case BlockKind::kFeedForward:
      return model.experts > 0 ? expert_peaks(model, shape, each) : passes.feed_forward();
    case BlockKind::kHead:
      return passes.head();
  }
  return {};
}

}  // namespace phalanx::layout
