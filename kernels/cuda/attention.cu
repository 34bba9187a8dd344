#include "kernels/cuda/attention_tiles.cuh"
#include "kernels/device.h"

// Attention forward (Dao et al. 2022): a block has one tile of queries and goes through the keys
// that they see, a tile at a time; its outputs stay in shared memory until the last.
namespace phalanx::kernels {
namespace cuda {
namespace {

template <class T>
struct ForwardTiles {
  using W = Wide<T>;
  Tile<T> q, k, v, p;
  Tile<W> scores, out;

  __device__ ForwardTiles(TileMemory memory, int edge, int width)
      : q(memory.take<T>(edge, width)),
        k(memory.take<T>(edge, width)),
        v(memory.take<T>(edge, width)),
        p(memory.take<T>(edge, edge)),
        scores(memory.take<W>(edge, edge)),
        out(memory.take<W>(edge, width)) {}
  static std::int64_t bytes(int edge, int width) {
    return 3 * tile_bytes<T>(edge, width) + tile_bytes<T>(edge, edge) + tile_bytes<W>(edge, edge) +
           tile_bytes<W>(edge, width);
  }
};

// By row of the tile: the largest score so far, and the sum of e^(score - largest).
template <class W>
struct Running {
  W largest[4 * kEdge], sum[4 * kEdge];
};

// Calls body(row) in all lanes of a warp for every row below `rows`; the warps take turns.
template <class Body>
__device__ void warp_for_each(int rows, const Body& body) {
  for (int row = static_cast<int>(threadIdx.x / kWarp); row < rows;
       row += static_cast<int>(blockDim.x / kWarp))
    body(row, static_cast<int>(threadIdx.x % kWarp));
}

// What there is so far becomes one key with the weight of all that were seen.
template <class T, class Out>
__device__ void start(const AttentionForward<T, Out>& a, const Place& place, int rows, int edge,
                      int width, Tile<Wide<T>> out, Running<Wide<T>>& running) {
  const AttentionSizes& s = a.sizes;
  const Wide<T>* log_sums = a.log_sum_exp.data + place.sequence * a.log_sum_exp.sequence_stride +
                            place.head * a.log_sum_exp.head_stride + place.first;
  const bool adds = a.into == Into::kSum;
  block_for_each(edge, [&](std::int64_t row) {
    running.largest[row] = adds && row < rows ? log_sums[row] : kUnseen<Wide<T>>;
    running.sum[row] = running.largest[row] == kUnseen<Wide<T>> ? Wide<T>(0) : Wide<T>(1);
  });
  block_for_each(std::int64_t{edge} * width, [&](std::int64_t at) {
    const std::int64_t row = at / width, i = at % width;
    const bool there = adds && row < rows && i < s.head_width;
    const Out* from = vector_of(a.out, place.sequence, place.head, s.head_width, place.first + row);
    out.data[row * out.stride + i] =
        there && log_sums[row] != kUnseen<Wide<T>> ? wide(from[i]) : Wide<T>(0);
  });
}

// The tile's scores become e^(score - largest so far) in p, zero where a row does not see; outputs
// so far are scaled to the new largest.
template <class T>
__device__ void softmax_tile(const AttentionSizes& s, const Place& place, int rows, int edge,
                             int width, std::int64_t first_key, const ForwardTiles<T>& tiles,
                             Running<Wide<T>>& running) {
  using W = Wide<T>;
  const W scale = scale_of<W>(s);
  warp_for_each(edge, [&](int row, int lane) {
    const Seen seen = row < rows ? seen_by(s, place.sequence, place.first + row) : Seen{0, 0};
    const W* scores = tiles.scores.data + row * tiles.scores.stride;
    const auto sees = [&](int key) { return seen.has(first_key + key); };
    W largest = kUnseen<W>, sum = 0;
    for (int key = lane; key < edge; key += kWarp)
      if (sees(key)) largest = Larger{}(largest, scores[key] * scale);
    const W before = running.largest[row];
    largest = Larger{}(before, over_warp(largest, Larger{}));
    for (int key = lane; key < edge; key += kWarp) {
      const W p = sees(key) ? std::exp(scores[key] * scale - largest) : W(0);
      tiles.p.data[row * tiles.p.stride + key] = rounded<T>(p);
      sum += p;
    }
    sum = over_warp(sum, Add{});
    if (largest == kUnseen<W> && sum == W(0)) return;  // nothing seen yet
    const W factor = std::exp(before - largest);
    for (int i = lane; i < width; i += kWarp) tiles.out.data[row * tiles.out.stride + i] *= factor;
    if (lane > 0) return;
    running.sum[row] = running.sum[row] * factor + sum;
    running.largest[row] = largest;
  });
}

template <class T, class Out>
__device__ void write(const AttentionForward<T, Out>& a, const Place& place, int rows,
                      Tile<Wide<T>> out, const Running<Wide<T>>& running) {
  const AttentionSizes& s = a.sizes;
  Wide<T>* log_sums = a.log_sum_exp.data + place.sequence * a.log_sum_exp.sequence_stride +
                      place.head * a.log_sum_exp.head_stride + place.first;
  block_for_each(rows, [&](std::int64_t row) {
    log_sums[row] = running.largest[row] + std::log(running.sum[row]);
  });
  block_for_each(rows * s.head_width, [&](std::int64_t at) {
    const std::int64_t row = at / s.head_width, i = at % s.head_width;
    const Wide<T> sum = running.sum[row], inverse = sum == Wide<T>(0) ? sum : Wide<T>(1) / sum;
    vector_of(a.out, place.sequence, place.head, s.head_width, place.first + row)[i] =
        rounded<Out>(out.data[row * out.stride + i] * inverse);
  });
}

template <class T, class Out>
__global__ void forward(AttentionForward<T, Out> a, int edge, int width) {
  const AttentionSizes& s = a.sizes;
  const Place place = place_of(blockIdx.x, s.queries, s.query_heads, edge);
  const std::int64_t left = s.queries - place.first, group = s.query_heads / s.key_heads;
  const int rows = left < edge ? static_cast<int>(left) : edge;
  const ForwardTiles<T> tiles(TileMemory{}, edge, width);
  __shared__ Running<Wide<T>> running;
  start(a, place, rows, edge, width, tiles.out, running);
  load_tile(tiles.q, edge, width,
            vector_of(a.q, place.sequence, place.head, s.head_width, place.first), a.q.row_stride,
            rows, s.head_width);
  const std::int64_t begin = seen_by(s, place.sequence, place.first).begin / edge * edge;
  const std::int64_t end = seen_by(s, place.sequence, place.first + rows - 1).end;
  for (std::int64_t key = begin; key < end; key += edge) {
    const auto load = [&](Tile<T> tile, HeadVectors<const T> from) {
      load_tile(tile, edge, width,
                vector_of(from, place.sequence, place.head / group, s.head_width, key),
                from.row_stride, s.keys - key, s.head_width);
    };
    __syncthreads();  // the tiles before are no longer read
    load(tiles.k, a.k);
    load(tiles.v, a.v);
    __syncthreads();
    tile_product(edge, edge, width, as_it_is(tiles.q), transposed(tiles.k), Into::kNew,
                 tiles.scores);
    __syncthreads();
    softmax_tile(s, place, rows, edge, width, key, tiles, running);
    __syncthreads();
    tile_product(edge, width, edge, as_it_is(tiles.p), as_it_is(tiles.v), Into::kSum, tiles.out);
  }
  __syncthreads();
  write(a, place, rows, tiles.out, running);
}

template <class T, class Out>
void run(const AttentionForward<T, Out>& a) {
  const int width = padded(a.sizes.head_width);
  const auto bytes = [&](int edge) { return ForwardTiles<T>::bytes(edge, width); };
  const int edge = fitting_edge(bytes);
  launch(forward<T, Out>, blocks_of(a.sizes, a.sizes.queries, a.sizes.query_heads, edge), kThreads,
         bytes(edge), a, edge, width);
}

}  // namespace
}  // namespace cuda

template <>
void perform<Cuda>(const AttentionForward<float, float>& a) {
  cuda::run(a);
}
template <>
void perform<Cuda>(const AttentionForward<double, double>& a) {
  cuda::run(a);
}
template <>
void perform<Cuda>(const AttentionForward<Bf16, Bf16>& a) {
  cuda::run(a);
}
template <>
void perform<Cuda>(const AttentionForward<Bf16, float>& a) {
  cuda::run(a);
}

}  // namespace phalanx::kernels
