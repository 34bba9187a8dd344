#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/cpu/attention_tile.h"
#include "kernels/operations/attention.h"

// What attention is asked for, and the loops over its heads and tiles.
namespace phalanx::kernels {

struct AttentionShape : AttentionSizes {
  explicit AttentionShape(const AttentionSizes& sizes) : AttentionSizes(sizes) {}

  // By query of the sequence; null: 0.
  const std::int64_t* first_visible_of(std::int64_t sequence) const {
    return first_visible == nullptr ? nullptr : first_visible + sequence * first_visible_stride;
  }
  // Whether a query of the sequence sees a key.
  bool any_visible(std::int64_t sequence) const {
    const std::int64_t* seen = first_visible_of(sequence);
    return first_query + queries > first_key && (seen == nullptr || *seen < first_key + keys);
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

// The vectors of a head, and its numbers.
template <class T>
Panel<T> head_of(HeadVectors<T> all, std::int64_t sequence, std::int64_t head,
                 std::int64_t head_width) {
  return {all.data + sequence * all.sequence_stride + head * head_width, all.row_stride};
}
template <class T>
T* head_of(QueryScalars<T> all, std::int64_t sequence, std::int64_t head) {
  return all.data + sequence * all.sequence_stride + head * all.head_stride;
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
  const std::int64_t position = shape.first_query + first_query;
  const std::int64_t seen = visible == nullptr ? 0 : *visible;
  const std::int64_t begin = std::max<std::int64_t>(0, seen - shape.first_key);
  const std::int64_t end = std::min(shape.keys, position + rows - shape.first_key);
  for (std::int64_t key = begin / kKeys * kKeys; key < end; key += kKeys)
    body(ScoreTile{position, rows, shape.first_key + key, std::min(kKeys, end - key), visible},
         key);
}

// Calls body(sequence, key head, query heads that share it: first and end) where anything is seen.
template <class Body>
void for_each_key_head(const AttentionShape& shape, const Body& body) {
  const std::int64_t group = shape.query_heads / shape.key_heads;
  for (std::int64_t s = 0; s < shape.sequences; ++s) {
    if (!shape.any_visible(s)) continue;
    for (std::int64_t key_head = 0; key_head < shape.key_heads; ++key_head)
      body(s, key_head, key_head * group, (key_head + 1) * group);
  }
}

}  // namespace phalanx::kernels
