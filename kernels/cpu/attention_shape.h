#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "kernels/attention.h"
#include "kernels/cpu/attention_tile.h"

// What attention is asked for, and the loops over its heads and tiles.
namespace phalanx::kernels {

struct AttentionShape {
  std::int64_t sequences, queries, keys;
  HeadCounts heads;
  std::int64_t head_width;
  FirstPositions first;
  at::Tensor first_visible;  // undefined: 0

  // By query of the sequence; null: 0.
  const std::int64_t* first_visible_of(std::int64_t sequence) const {
    if (!first_visible.defined()) return nullptr;
    return first_visible.const_data_ptr<std::int64_t>() + sequence * first_visible.stride(0);
  }
  // Whether a query of the sequence sees a key.
  bool any_visible(std::int64_t sequence) const {
    const std::int64_t* seen = first_visible_of(sequence);
    return first.query + queries > first.key && (seen == nullptr || *seen < first.key + keys);
  }

  // Of packed rows, which have a head's width: columns, stride, elements of a sequence's keys.
  std::int64_t columns() const { return panel_columns(head_width); }
  std::int64_t stride() const { return cache_stride(head_width); }
  std::int64_t elements() const { return keys * stride(); }
  // Where a tile begins in keys or values packed across, and the elements of all.
  std::int64_t across(std::int64_t first_key) const {
    return first_key / kKeys * head_width * kTileStride;
  }
  std::int64_t across_elements() const { return across(keys + kKeys - 1); }
  double scale() const { return 1 / std::sqrt(static_cast<double>(head_width)); }
};

// Whether x is [sequences, length, width] with rows in one piece.
inline bool has_rows(const at::Tensor& x) { return x.dim() == 3 && x.stride(2) == 1; }

inline AttentionShape attention_shape(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                      HeadCounts heads, FirstPositions first,
                                      const at::Tensor& first_visible) {
  check(has_rows(q) && has_rows(k) && has_rows(v) && heads.query % heads.key_value == 0 &&
            q.size(2) % heads.query == 0 && k.sizes() == v.sizes() && k.size(0) == q.size(0) &&
            k.size(2) * heads.query == q.size(2) * heads.key_value,
        "attention: expected q [sequences, length, query heads * head_width], k and v with key "
        "heads");
  check(!first_visible.defined() ||
            (first_visible.scalar_type() == at::kLong && first_visible.dim() == 2 &&
             first_visible.stride(1) == 1 && first_visible.size(0) == q.size(0) &&
             first_visible.size(1) == q.size(1)),
        "attention: expected first_visible int64 [sequences, length]");
  return {q.size(0), q.size(1), k.size(1), heads, q.size(2) / heads.query, first, first_visible};
}

// The rows of a head.
template <class T>
Panel<const T> head_of(const at::Tensor& x, std::int64_t sequence, std::int64_t head,
                       std::int64_t head_width) {
  return {x.const_data_ptr<T>() + sequence * x.stride(0) + head * head_width, x.stride(1)};
}
template <class T>
Panel<T> mutable_head_of(const at::Tensor& x, std::int64_t sequence, std::int64_t head,
                         std::int64_t head_width) {
  return {x.mutable_data_ptr<T>() + sequence * x.stride(0) + head * head_width, x.stride(1)};
}

// Calls body(first query, rows) for every block of queries.
template <class Body>
void for_each_block(std::int64_t queries, const Body& body) {
  for (std::int64_t first = 0; first < queries; first += kQueries)
    body(first, std::min(kQueries, queries - first));
}

// Calls body(tile, its first key's row) for every tile of a block of queries that one of them sees
// into.
template <class Body>
void for_each_tile(const AttentionShape& shape, std::int64_t first_query, std::int64_t rows,
                   const std::int64_t* first_visible, const Body& body) {
  const std::int64_t* visible = first_visible == nullptr ? nullptr : first_visible + first_query;
  const std::int64_t position = shape.first.query + first_query;
  const std::int64_t seen = visible == nullptr ? 0 : *visible;
  const std::int64_t begin = std::max<std::int64_t>(0, seen - shape.first.key);
  const std::int64_t end = std::min(shape.keys, position + rows - shape.first.key);
  for (std::int64_t key = begin / kKeys * kKeys; key < end; key += kKeys)
    body(ScoreTile{position, rows, shape.first.key + key, std::min(kKeys, end - key), visible},
         key);
}

// Calls body(sequence, key head, query heads that share it: first and end) where anything is seen.
template <class Body>
void for_each_key_head(const AttentionShape& shape, const Body& body) {
  const std::int64_t group = shape.heads.query / shape.heads.key_value;
  for (std::int64_t s = 0; s < shape.sequences; ++s) {
    if (!shape.any_visible(s)) continue;
    for (std::int64_t key_head = 0; key_head < shape.heads.key_value; ++key_head)
      body(s, key_head, key_head * group, (key_head + 1) * group);
  }
}

}  // namespace phalanx::kernels
