#pragma once

#include <ATen/ops/empty.h>

#include <algorithm>

#include "base/check.h"
#include "kernels/cpu/attention_shape.h"
#include "kernels/cpu/attention_tile.h"
#include "kernels/cpu/pack.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/small_product.h"

// How the operands of attention's products lie in memory.
namespace phalanx::kernels {

// Memory for operands, handed out piece by piece.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t elements)
      : memory_(at::empty({elements}, c10::CppTypeToScalarType<T>::value)),
        next_(memory_.template mutable_data_ptr<T>()),
        end_(next_ + elements) {}
  T* take(std::int64_t elements) {
    T* piece = next_;
    next_ += elements;
    check(next_ <= end_, "attention: more scratch than planned");
    return piece;
  }

 private:
  at::Tensor memory_;
  T *next_, *end_;
};

// The elements of a result: rounded, or a sum that other parts are added to.
template <class T, Into kInto>
using Result = std::conditional_t<kInto == Into::kSum, Wide<T>, T>;

// The factors of products over elements of type T, in units along the depth. With kPairs these are
// two bf16 (small_product.h), and tiles are rounded to bf16 before they are multiplied; otherwise
// they are values, widened.
template <class T, bool kPairs>
struct Factors {
  using Sum = Wide<T>;
  static constexpr std::int64_t kUnit = kPairs ? 2 : 1;

  // `size.depth` in elements.
  static void product(SmallProduct size, Left<Sum> a, Panel<const Sum> b, Panel<Sum> c) {
    size.depth = (size.depth + kUnit - 1) / kUnit;
    if constexpr (kPairs)
      small_pair_product(size, a, b, c);
    else
      small_product(size, a, b, c);
  }

  // Right factor of products along the columns of `from`.
  static void pack_across(PackSize size, Panel<const T> from, Panel<Sum> to) {
    if constexpr (kPairs)
      pack_transposed(
          {size.rows, size.columns / 2},
          Panel<const float>{reinterpret_cast<const float*>(from.data), from.stride / 2}, to);
    else
      pack_transposed(size, from, to);
  }

  // Right factor of products along the rows of `from`.
  static void pack_along(PackSize size, Panel<const T> from, Panel<Sum> to) {
    if constexpr (kPairs)
      pack_pairs(size, from, to);
    else
      pack(size, from, to);
  }

  // Left factor along the columns of `rows`, of which `along` is what pack_along() made.
  static Left<Sum> left(Panel<const T> rows, Panel<const Sum> along) {
    if constexpr (kPairs)
      return {reinterpret_cast<const float*>(rows.data), rows.stride / 2, 1};
    else
      return {along.data, along.stride, 1};
  }

  // A tile as left factor along its keys; `scratch` has room for it.
  static Left<Sum> tile(const ScoreTile& tile, const Sum* scores, Sum* scratch) {
    if constexpr (kPairs) {
      pack_rounded({tile.rows, tile.keys}, {scores, kTileStride},
                   {reinterpret_cast<Bf16*>(scratch), kTileStride});
      return {scratch, kTileStride / 2, 1};
    } else {
      return {scores, kTileStride, 1};
    }
  }

  // Its transpose, along its rows.
  static Left<Sum> turned_tile(const ScoreTile& tile, const Sum* scores, Sum* scratch) {
    if constexpr (kPairs) {
      pack_pairs({tile.rows, tile.keys}, {scores, kTileStride}, {scratch, kTileStride});
      scores = scratch;
    }
    return {scores, 1, kTileStride};
  }
};

// Keys or values as right factors of products along the head's width, a tile after the other.
template <class Of, class T>
void pack_tiles_across(const AttentionShape& shape, Panel<const T> head, Wide<T>* to) {
  for (std::int64_t first = 0; first < shape.keys; first += kKeys)
    Of::pack_across({std::min(kKeys, shape.keys - first), shape.head_width},
                    {head.data + first * head.stride, head.stride},
                    {to + shape.across(first), kTileStride});
}

// Calls `function` with whether products of elements of type T take pairs of bf16.
template <class T, class Function>
void for_factors(std::int64_t head_width, const Function& function) {
  if constexpr (std::is_same_v<T, Bf16>)
    if (has_pair_product() && head_width % 2 == 0) return function(std::true_type{});
  function(std::false_type{});
}

}  // namespace phalanx::kernels
