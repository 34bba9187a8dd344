#include "kernels/cuda/attention_tiles.cuh"
#include "kernels/cuda/scratch.h"
#include "kernels/device.h"

// Attention backward (Dao 2023, "FlashAttention-2") without atomics, so that sums have one order:
// one kernel sums over the keys for a tile of queries, another over the queries for a tile of keys,
// and each computes the scores again. With p = e^(scale * q k - log_sum_exp) and ds = p * (dout v -
// dout out) * scale:  dq = ds k,  dk = ds^T q,  dv = p^T dout.
namespace phalanx::kernels {
namespace cuda {
namespace {

template <class T>
struct BackwardTiles {
  using W = Wide<T>;
  Tile<T> q, dout, k, v, p, ds;
  Tile<W> scores, dp;

  __device__ BackwardTiles(TileMemory& memory, int edge, int width)
      : q(memory.take<T>(edge, width)),
        dout(memory.take<T>(edge, width)),
        k(memory.take<T>(edge, width)),
        v(memory.take<T>(edge, width)),
        p(memory.take<T>(edge, edge)),
        ds(memory.take<T>(edge, edge)),
        scores(memory.take<W>(edge, edge)),
        dp(memory.take<W>(edge, edge)) {}
  static std::int64_t bytes(int edge, int width) {
    return 4 * tile_bytes<T>(edge, width) + 2 * tile_bytes<T>(edge, edge) +
           2 * tile_bytes<W>(edge, edge);
  }
};

// By query head: where log_sum_exp is, and dots, dout . out of each query.
template <class T>
struct HeadScalars {
  const Wide<T>*log_sum_exp, *dots;
};
template <class T, class Gradient>
__device__ HeadScalars<T> scalars_of(const AttentionBackward<T, Gradient>& a, const Wide<T>* dots,
                                     std::int64_t sequence, std::int64_t head) {
  return {a.log_sum_exp.data + sequence * a.log_sum_exp.sequence_stride +
              head * a.log_sum_exp.head_stride,
          dots + (sequence * a.sizes.query_heads + head) * a.sizes.queries};
}

// Tiles p and ds of the queries and keys that are loaded; zero where a query does not see.
template <class T>
__device__ void score_tiles(const AttentionSizes& s, std::int64_t sequence, std::int64_t query,
                            std::int64_t key, int edge, int width, HeadScalars<T> scalars,
                            const BackwardTiles<T>& tiles) {
  using W = Wide<T>;
  tile_product(edge, edge, width, as_it_is(tiles.q), transposed(tiles.k), Into::kNew, tiles.scores);
  tile_product(edge, edge, width, as_it_is(tiles.dout), transposed(tiles.v), Into::kNew, tiles.dp);
  __syncthreads();
  const W scale = scale_of<W>(s);
  block_for_each(std::int64_t{edge} * edge, [&](std::int64_t at) {
    const int row = static_cast<int>(at) / edge, i = static_cast<int>(at) % edge;
    W p = 0, ds = 0;
    if (query + row < s.queries && seen_by(s, sequence, query + row).has(key + i)) {
      p = std::exp(tiles.scores.data[row * tiles.scores.stride + i] * scale -
                   scalars.log_sum_exp[query + row]);
      ds = p * (tiles.dp.data[row * tiles.dp.stride + i] - scalars.dots[query + row]) * scale;
    }
    tiles.p.data[row * tiles.p.stride + i] = rounded<T>(p);
    tiles.ds.data[row * tiles.ds.stride + i] = rounded<T>(ds);
  });
  __syncthreads();
}

template <class W, class Gradient>
__device__ void write_gradient(Tile<W> from, std::int64_t rows, std::int64_t width, Into into,
                               Gradient* to, std::int64_t stride) {
  block_for_each(rows * width, [&](std::int64_t at) {
    const std::int64_t row = at / width, i = at % width;
    Gradient& gradient = to[row * stride + i];
    const W value = from.data[row * from.stride + i];
    gradient = rounded<Gradient>(into == Into::kSum ? wide(gradient) + value : value);
  });
}

template <class T, class Gradient>
__global__ void query_gradients(AttentionBackward<T, Gradient> a, const Wide<T>* dots, int edge,
                                int width) {
  const AttentionSizes& s = a.sizes;
  const Place at = place_of(blockIdx.x, s.queries, s.query_heads, edge);
  const std::int64_t left = s.queries - at.first, rows = left < edge ? left : edge;
  const std::int64_t key_head = at.head / (s.query_heads / s.key_heads);
  TileMemory memory;
  const BackwardTiles<T> tiles(memory, edge, width);
  const auto dq = memory.take<Wide<T>>(edge, width);
  const auto load = [&](Tile<T> tile, HeadVectors<const T> from, std::int64_t head,
                        std::int64_t row, std::int64_t all) {
    load_tile(tile, edge, width, vector_of(from, at.sequence, head, s.head_width, row),
              from.row_stride, all - row, s.head_width);
  };
  clear_tile(dq, edge, width);
  load(tiles.q, a.q, at.head, at.first, s.queries);
  load(tiles.dout, a.dout, at.head, at.first, s.queries);
  const std::int64_t begin = seen_by(s, at.sequence, at.first).begin / edge * edge;
  const std::int64_t end = seen_by(s, at.sequence, at.first + rows - 1).end;
  for (std::int64_t key = begin; key < end; key += edge) {
    __syncthreads();  // the tiles before are no longer read
    load(tiles.k, a.k, key_head, key, s.keys);
    load(tiles.v, a.v, key_head, key, s.keys);
    __syncthreads();
    score_tiles(s, at.sequence, at.first, key, edge, width,
                scalars_of(a, dots, at.sequence, at.head), tiles);
    tile_product(edge, width, edge, as_it_is(tiles.ds), as_it_is(tiles.k), Into::kSum, dq);
  }
  __syncthreads();
  write_gradient(dq, rows, s.head_width, a.into,
                 vector_of(a.dq, at.sequence, at.head, s.head_width, at.first), a.dq.row_stride);
}

// Whether any of the queries from `query` on, an edge of them, sees any of the keys from `key` on.
__device__ inline bool any_seen(const AttentionSizes& s, std::int64_t sequence, std::int64_t query,
                                std::int64_t key, int edge) {
  const std::int64_t last = query + edge < s.queries ? query + edge - 1 : s.queries - 1;
  return seen_by(s, sequence, query).begin < key + edge && seen_by(s, sequence, last).end > key;
}

template <class T, class Gradient>
__global__ void key_gradients(AttentionBackward<T, Gradient> a, const Wide<T>* dots, int edge,
                              int width) {
  const AttentionSizes& s = a.sizes;
  const Place at = place_of(blockIdx.x, s.keys, s.key_heads, edge);
  const std::int64_t left = s.keys - at.first, rows = left < edge ? left : edge;
  const std::int64_t group = s.query_heads / s.key_heads;
  TileMemory memory;
  const BackwardTiles<T> tiles(memory, edge, width);
  const auto dk = memory.take<Wide<T>>(edge, width), dv = memory.take<Wide<T>>(edge, width);
  const auto load = [&](Tile<T> tile, HeadVectors<const T> from, std::int64_t head,
                        std::int64_t row, std::int64_t all) {
    load_tile(tile, edge, width, vector_of(from, at.sequence, head, s.head_width, row),
              from.row_stride, all - row, s.head_width);
  };
  clear_tile(dk, edge, width);
  clear_tile(dv, edge, width);
  load(tiles.k, a.k, at.head, at.first, s.keys);
  load(tiles.v, a.v, at.head, at.first, s.keys);
  for (std::int64_t head = at.head * group; head < (at.head + 1) * group; ++head)
    for (std::int64_t query = 0; query < s.queries; query += edge) {
      if (!any_seen(s, at.sequence, query, at.first, edge)) continue;
      __syncthreads();  // the tiles before are no longer read
      load(tiles.q, a.q, head, query, s.queries);
      load(tiles.dout, a.dout, head, query, s.queries);
      __syncthreads();
      score_tiles(s, at.sequence, query, at.first, edge, width,
                  scalars_of(a, dots, at.sequence, head), tiles);
      tile_product(edge, width, edge, transposed(tiles.p), as_it_is(tiles.dout), Into::kSum, dv);
      tile_product(edge, width, edge, transposed(tiles.ds), as_it_is(tiles.q), Into::kSum, dk);
    }
  __syncthreads();
  const auto write = [&](Tile<Wide<T>> from, HeadVectors<Gradient> to) {
    write_gradient(from, rows, s.head_width, a.into,
                   vector_of(to, at.sequence, at.head, s.head_width, at.first), to.row_stride);
  };
  write(dk, a.dk);
  write(dv, a.dv);
}

// dots [sequences, query heads, queries] = dout . out
template <class T, class Gradient>
void compute_dots(const AttentionBackward<T, Gradient>& a, Wide<T>* dots) {
  const AttentionSizes& s = a.sizes;
  for_each(s.sequences * s.query_heads * s.queries, [a, dots] __device__(std::int64_t i) {
    const AttentionSizes& z = a.sizes;
    const std::int64_t query = i % z.queries, head = i / z.queries % z.query_heads;
    const std::int64_t sequence = i / z.queries / z.query_heads;
    const T* dout = vector_of(a.dout, sequence, head, z.head_width, query);
    const T* out = vector_of(a.out, sequence, head, z.head_width, query);
    Wide<T> sum = 0;
    for (std::int64_t c = 0; c < z.head_width; ++c) sum += wide(dout[c]) * wide(out[c]);
    dots[i] = sum;
  });
}

// The vectors `from`, which lie one after another, into `to`.
template <class Gradient>
void copy_vectors(const AttentionSizes& s, const Gradient* from, HeadVectors<Gradient> to) {
  const std::int64_t keys = s.keys;
  for_each_element({s.sequences * keys, s.key_heads * s.head_width},
                   [=] __device__(std::int64_t row, std::int64_t i) {
                     to.data[row / keys * to.sequence_stride + row % keys * to.row_stride + i] =
                         from[row * s.key_heads * s.head_width + i];
                   });
}

// Gradients that replace q, k and v would be read by other blocks: those of keys and values wait
// beside, those of queries come last, since a block reads no queries but its own.
template <class T, class Gradient>
void run(const AttentionBackward<T, Gradient>& a) {
  const AttentionSizes& s = a.sizes;
  const int width = padded(s.head_width);
  const auto bytes = [&](int edge) {
    return BackwardTiles<T>::bytes(edge, width) + 2 * tile_bytes<Wide<T>>(edge, width);
  };
  const int edge = fitting_edge(bytes);
  const Scratch<Wide<T>> dots(s.sequences * s.query_heads * s.queries);
  compute_dots(a, dots.data());

  const bool replaces = a.into == Into::kNew;
  const std::int64_t row = s.key_heads * s.head_width, elements = s.sequences * s.keys * row;
  const Scratch<Gradient> beside(replaces ? 2 * elements : 1);
  AttentionBackward<T, Gradient> keys = a;
  if (replaces) {
    keys.dk = {beside.data(), s.keys * row, row};
    keys.dv = {beside.data() + elements, s.keys * row, row};
  }
  launch(key_gradients<T, Gradient>, blocks_of(s, s.keys, s.key_heads, edge), kThreads, bytes(edge),
         keys, static_cast<const Wide<T>*>(dots.data()), edge, width);
  launch(query_gradients<T, Gradient>, blocks_of(s, s.queries, s.query_heads, edge), kThreads,
         bytes(edge), a, static_cast<const Wide<T>*>(dots.data()), edge, width);
  if (!replaces) return;
  copy_vectors(s, keys.dk.data, a.dk);
  copy_vectors(s, keys.dv.data, a.dv);
}

}  // namespace
}  // namespace cuda

template <>
void perform<Cuda>(const AttentionBackward<float, float>& a) {
  cuda::run(a);
}
template <>
void perform<Cuda>(const AttentionBackward<double, double>& a) {
  cuda::run(a);
}
template <>
void perform<Cuda>(const AttentionBackward<Bf16, Bf16>& a) {
  cuda::run(a);
}
template <>
void perform<Cuda>(const AttentionBackward<Bf16, float>& a) {
  cuda::run(a);
}

}  // namespace phalanx::kernels
