#pragma once

#include <algorithm>
#include <cstdint>

#include "config/job.h"
#include "layout/saved_bytes.h"

namespace phalanx::layout {

// A model's widths on a rank of the tensor axis, and a micro-batch's tokens.
struct BlockSizes {
  std::int64_t width, own, all;  // of a token; own tokens; all tokens
  std::int64_t head_width, heads, kv_heads, ffn;
  std::int64_t exchange;  // ranks
  bool apart;             // own tokens and all tokens are different memory

  BlockSizes(const config::Model& model, const MicroBatchShape& shape)
      : width(model.width),
        own(shape.own_tokens()),
        all(shape.all_tokens()),
        head_width(model.width / model.heads),
        heads(model.heads / shape.tensor_ranks),
        kv_heads(std::max<std::int64_t>(1, model.kv_heads / shape.tensor_ranks)),
        ffn(model.ffn_width / shape.tensor_ranks),
        exchange(shape.exchange_ranks),
        apart(shape.tensor_ranks > 1) {}
};

}  // namespace phalanx::layout
