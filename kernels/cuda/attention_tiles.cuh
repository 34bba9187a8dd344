#pragma once

#include <limits>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/tile.cuh"
#include "kernels/operations/attention.h"

// What the passes of attention share: which keys a query sees, and blocks over tiles of `edge`
// queries and keys.
namespace phalanx::kernels::cuda {

template <class W>
constexpr W kUnseen = -std::numeric_limits<W>::infinity();

template <class T>
__device__ T* vector_of(HeadVectors<T> all, std::int64_t sequence, std::int64_t head,
                        std::int64_t head_width, std::int64_t row) {
  return all.data + sequence * all.sequence_stride + head * head_width + row * all.row_stride;
}

// The keys [begin, end) that a query sees, by their rows.
struct Seen {
  std::int64_t begin, end;
  __device__ bool has(std::int64_t key) const { return begin <= key && key < end; }
};
__device__ inline Seen seen_by(const AttentionSizes& s, std::int64_t sequence, std::int64_t query) {
  const std::int64_t first =
      s.first_visible == nullptr ? 0 : s.first_visible[sequence * s.first_visible_stride + query];
  const std::int64_t begin = first - s.first_key, end = s.first_query + query + 1 - s.first_key;
  return {begin < 0 ? 0 : begin, end < s.keys ? end : s.keys};
}

// A block of the grid: an edge of rows (queries or keys) of one head in one sequence.
struct Place {
  std::int64_t sequence, head, first;  // `first` row
};
__device__ inline Place place_of(std::int64_t block, std::int64_t rows, std::int64_t heads,
                                 int edge) {
  const std::int64_t tiles = (rows + edge - 1) / edge;
  return {block / tiles / heads, block / tiles % heads, block % tiles * edge};
}
inline std::int64_t blocks_of(const AttentionSizes& s, std::int64_t rows, std::int64_t heads,
                              int edge) {
  return s.sequences * heads * ((rows + edge - 1) / edge);
}

// The largest edge of tiles whose bytes, bytes_of(edge), fit in a block's shared memory.
template <class BytesOf>
int fitting_edge(const BytesOf& bytes_of) {
  const std::int64_t most = largest_shared_memory();
  int edge = 4 * kEdge;
  while (edge > kEdge && bytes_of(edge) > most) edge /= 2;
  return edge;
}

template <class W>
__device__ W scale_of(const AttentionSizes& s) {
  return W(1) / std::sqrt(static_cast<W>(s.head_width));
}

}  // namespace phalanx::kernels::cuda
