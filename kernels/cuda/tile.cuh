#pragma once

#include <mma.h>

#include "kernels/cuda/block.cuh"
#include "kernels/operations/matrix.h"

// Tiles in shared memory, and what a block does with them. Their edges are multiples of 16, and
// rows are padded so that neighbours lie in different banks.
namespace phalanx::kernels::cuda {

constexpr int kEdge = 16;
__device__ __host__ inline int padded(std::int64_t width) {
  return static_cast<int>((width + kEdge - 1) / kEdge * kEdge);
}

template <class T>
struct Tile {
  T* data;
  int stride;
};

// Between rows of `width` elements: 16 bytes more, as the tensor cores' loads want it.
template <class T>
__device__ __host__ constexpr int tile_stride(int width) {
  return width + 16 / static_cast<int>(sizeof(T));
}
template <class T>
__device__ __host__ constexpr std::int64_t tile_bytes(int rows, int width) {
  return (std::int64_t{rows} * tile_stride<T>(width) * std::int64_t{sizeof(T)} + 127) / 128 * 128;
}

// Hands out tiles of the block's dynamic shared memory.
class TileMemory {
 public:
  __device__ TileMemory() {
    alignas(128) extern __shared__ unsigned char dynamic_shared[];
    next_ = dynamic_shared;
  }
  template <class T>
  __device__ Tile<T> take(int rows, int width) {
    Tile<T> tile{reinterpret_cast<T*>(next_), tile_stride<T>(width)};
    next_ += tile_bytes<T>(rows, width);
    return tile;
  }

 private:
  unsigned char* next_;
};

// tile [rows, width] = the rows of `from`, zero beyond from_rows and from_width.
template <class T>
__device__ void load_tile(Tile<T> tile, int rows, int width, const T* from, std::int64_t stride,
                          std::int64_t from_rows, std::int64_t from_width) {
  block_for_each(std::int64_t{rows} * width, [&](std::int64_t at) {
    const int row = static_cast<int>(at) / width, i = static_cast<int>(at) % width;
    tile.data[row * tile.stride + i] =
        row < from_rows && i < from_width ? from[row * stride + i] : rounded<T>(Wide<T>(0));
  });
}

template <class T>
__device__ void clear_tile(Tile<T> tile, int rows, int width) {
  block_for_each(std::int64_t{rows} * width, [&](std::int64_t at) {
    tile.data[static_cast<int>(at) / width * tile.stride + static_cast<int>(at) % width] = T(0);
  });
}

// A factor of a product: a tile or its transpose.
template <class T, bool kTransposed>
struct Factor {
  Tile<T> tile;
  __device__ T at(int row, int column) const {
    return kTransposed ? tile.data[column * tile.stride + row]
                       : tile.data[row * tile.stride + column];
  }
  // Of the 16 x 16 elements from (row, column) on.
  __device__ const T* corner(int row, int column) const {
    return kTransposed ? tile.data + column * tile.stride + row
                       : tile.data + row * tile.stride + column;
  }
};
template <class T>
__device__ Factor<T, false> as_it_is(Tile<T> tile) {
  return {tile};
}
template <class T>
__device__ Factor<T, true> transposed(Tile<T> tile) {
  return {tile};
}

// c [rows, columns] = a [rows, depth] b [depth, columns], or += it, by the block's threads; each
// sums 4 x 4 elements whose columns are far apart, so that neighbours read neighbours.
template <class T, bool kA, bool kB>
__device__ void tile_product(int rows, int columns, int depth, Factor<T, kA> a, Factor<T, kB> b,
                             Into into, Tile<T> c) {
  constexpr int kSums = 4;
  const int across = columns / kSums;
  block_for_each(std::int64_t{rows / kSums} * across, [&](std::int64_t piece) {
    const int row = static_cast<int>(piece) / across * kSums;
    const int column = static_cast<int>(piece) % across;
    T sums[kSums][kSums] = {};
    for (int k = 0; k < depth; ++k)
      for (int i = 0; i < kSums; ++i)
        for (int j = 0; j < kSums; ++j)
          sums[i][j] += a.at(row + i, k) * b.at(k, column + j * across);
    for (int i = 0; i < kSums; ++i)
      for (int j = 0; j < kSums; ++j) {
        T& to = c.data[(row + i) * c.stride + column + j * across];
        to = into == Into::kSum ? to + sums[i][j] : sums[i][j];
      }
  });
}

template <bool kTransposed>
using Layout = std::conditional_t<kTransposed, nvcuda::wmma::col_major, nvcuda::wmma::row_major>;

// The same by the tensor cores: bf16 factors, sums in fp32; a warp takes every so many-th 16 x 16
// elements of c.
template <bool kA, bool kB>
__device__ void tile_product(int rows, int columns, int depth, Factor<Bf16, kA> a,
                             Factor<Bf16, kB> b, Into into, Tile<float> c) {
  namespace wmma = nvcuda::wmma;
  const int across = columns / kEdge, warps = static_cast<int>(blockDim.x / kWarp);
  for (int piece = static_cast<int>(threadIdx.x / kWarp); piece < rows / kEdge * across;
       piece += warps) {
    const int row = piece / across * kEdge, column = piece % across * kEdge;
    float* to = c.data + row * c.stride + column;
    wmma::fragment<wmma::accumulator, kEdge, kEdge, kEdge, float> sums;
    if (into == Into::kSum)
      wmma::load_matrix_sync(sums, to, static_cast<unsigned>(c.stride), wmma::mem_row_major);
    else
      wmma::fill_fragment(sums, 0.0f);
    for (int k = 0; k < depth; k += kEdge) {
      wmma::fragment<wmma::matrix_a, kEdge, kEdge, kEdge, __nv_bfloat16, Layout<kA>> left;
      wmma::fragment<wmma::matrix_b, kEdge, kEdge, kEdge, __nv_bfloat16, Layout<kB>> right;
      wmma::load_matrix_sync(left, reinterpret_cast<const __nv_bfloat16*>(a.corner(row, k)),
                             static_cast<unsigned>(a.tile.stride));
      wmma::load_matrix_sync(right, reinterpret_cast<const __nv_bfloat16*>(b.corner(k, column)),
                             static_cast<unsigned>(b.tile.stride));
      wmma::mma_sync(sums, left, right, sums);
    }
    wmma::store_matrix_sync(to, sums, static_cast<unsigned>(c.stride), wmma::mem_row_major);
  }
}

}  // namespace phalanx::kernels::cuda
