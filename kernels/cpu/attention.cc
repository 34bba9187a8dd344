#include "kernels/attention.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <limits>

#include "kernels/cpu/attention_tile.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/pack.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/small_product.h"

namespace phalanx::kernels {
namespace {

struct Shape {
  std::int64_t sequences, length;
  HeadCounts heads;
  std::int64_t head_width;
  std::int64_t query_stride, key_stride;  // of rows of q, and of k and v, in elements
  const std::int64_t* first_visible;      // null: 0

  std::int64_t group() const { return heads.query / heads.key_value; }
  std::int64_t out_stride() const { return heads.query * head_width; }
  // Where the first position of a head is among rows of some stride, in elements.
  std::int64_t at(std::int64_t sequence, std::int64_t head, std::int64_t stride) const {
    return sequence * length * stride + head * head_width;
  }
  std::int64_t row(std::int64_t sequence, std::int64_t head) const {
    return (sequence * heads.query + head) * length;
  }
  const std::int64_t* first_visible_of(std::int64_t sequence) const {
    return first_visible == nullptr ? nullptr : first_visible + sequence * length;
  }

  // Of packed rows, which have a head's width: columns, stride, elements of a sequence.
  std::int64_t columns() const { return panel_columns(head_width); }
  std::int64_t stride() const { return cache_stride(head_width); }
  std::int64_t elements() const { return length * stride(); }
  // Where a tile begins in keys or values packed across, and the elements of all.
  std::int64_t across(std::int64_t first_key) const {
    return first_key / kKeys * head_width * kTileStride;
  }
  std::int64_t across_elements() const { return across(length + kKeys - 1); }
  double scale() const { return 1 / std::sqrt(static_cast<double>(head_width)); }
};

// Calls body(first query, rows) for every block of queries.
template <class Body>
void for_each_block(std::int64_t length, const Body& body) {
  for (std::int64_t first = 0; first < length; first += kQueries)
    body(first, std::min(kQueries, length - first));
}

// Calls body(tile) for every tile of a block that one of its rows sees into.
template <class Body>
void for_each_tile(std::int64_t first_query, std::int64_t rows, const std::int64_t* first_visible,
                   const Body& body) {
  const std::int64_t seen = first_visible == nullptr ? 0 : first_visible[first_query];
  const std::int64_t end = first_query + rows;
  for (std::int64_t key = seen / kKeys * kKeys; key < end; key += kKeys)
    body(ScoreTile{first_query, rows, key, std::min(kKeys, end - key), first_visible});
}

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
void pack_tiles_across(const Shape& shape, Panel<const T> head, Wide<T>* to) {
  for (std::int64_t first = 0; first < shape.length; first += kKeys)
    Of::pack_across({std::min(kKeys, shape.length - first), shape.head_width},
                    {head.data + first * head.stride, head.stride},
                    {to + shape.across(first), kTileStride});
}

template <class T, bool kPairs>
class Forward {
  using Of = Factors<T, kPairs>;
  using Sum = Wide<T>;

 public:
  explicit Forward(const Shape& shape)
      : shape_(shape),
        scratch_(shape.across_elements() + shape.elements() +
                 kQueries * (2 * kTileStride + 2 * shape.stride())),
        keys_(scratch_.take(shape.across_elements())),
        values_(scratch_.take(shape.elements())),
        scores_(scratch_.take(kQueries * kTileStride)),
        factor_(scratch_.take(kQueries * kTileStride)),
        query_(scratch_.take(kQueries * shape.stride())),
        running_{
            {scratch_.take(kQueries * shape.stride()), shape.stride()}, shape.columns(), {}, {}} {}

  void begin(Panel<const T> keys, Panel<const T> values) {
    pack_tiles_across<Of>(shape_, keys, keys_);
    Of::pack_along({shape_.length, shape_.head_width}, values, {values_, shape_.stride()});
  }

  // One head of those that share the keys and values of begin().
  void run(Panel<const T> query, const std::int64_t* first_visible, Panel<T> out,
           Sum* log_sum_exp) {
    for_each_block(shape_.length, [&](std::int64_t first, std::int64_t rows) {
      std::fill_n(running_.largest, rows, -std::numeric_limits<Sum>::infinity());
      std::fill_n(running_.sum, rows, Sum(0));
      std::fill_n(running_.out.data, rows * shape_.stride(), Sum(0));
      const Panel<const T> block{query.data + first * query.stride, query.stride};
      if constexpr (!kPairs) pack({rows, shape_.head_width}, block, {query_, shape_.stride()});
      const auto left = Of::left(block, {query_, shape_.stride()});
      for_each_tile(first, rows, first_visible, [&](const ScoreTile& tile) { add(tile, left); });
      write({out.data + first * out.stride, out.stride}, log_sum_exp + first, rows);
    });
  }

 private:
  void add(const ScoreTile& tile, Left<Sum> query) {
    Of::product({tile.rows, panel_columns(tile.keys), shape_.head_width, Into::kNew}, query,
                {keys_ + shape_.across(tile.first_key), kTileStride}, {scores_, kTileStride});
    softmax_tile(scores_, static_cast<Sum>(shape_.scale()), running_, tile);
    Of::product(
        {tile.rows, shape_.columns(), tile.keys, Into::kSum}, Of::tile(tile, scores_, factor_),
        {values_ + tile.first_key / Of::kUnit * shape_.stride(), shape_.stride()}, running_.out);
  }

  void write(Panel<T> out, Sum* log_sum_exp, std::int64_t rows) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const Sum inverse = 1 / running_.sum[r];
      for (std::int64_t i = 0; i < shape_.head_width; ++i)
        out.data[r * out.stride + i] =
            rounded<T>(running_.out.data[r * shape_.stride() + i] * inverse);
      log_sum_exp[r] = running_.largest[r] + std::log(running_.sum[r]);
    }
  }

  Shape shape_;
  Scratch<Sum> scratch_;
  Sum *keys_, *values_, *scores_, *factor_, *query_;
  RunningOutput<Sum> running_;
};

// What the backward pass reads of one head beside q, k and v.
template <class T>
struct HeadOutput {
  Panel<const T> dout, out;
  const Wide<T>* log_sum_exp;
};

template <class T, bool kPairs>
class Backward {
  using Of = Factors<T, kPairs>;
  using Sum = Wide<T>;

 public:
  explicit Backward(const Shape& shape)
      : shape_(shape),
        scratch_(2 * shape.across_elements() + 3 * shape.elements() +
                 kQueries * (3 * kTileStride + 3 * shape.stride())),
        keys_across_(scratch_.take(shape.across_elements())),
        values_across_(scratch_.take(shape.across_elements())),
        keys_(scratch_.take(shape.elements())),
        dkeys_(scratch_.take(shape.elements())),
        dvalues_(scratch_.take(shape.elements())),
        scores_(scratch_.take(kQueries * kTileStride)),
        dscores_(scratch_.take(kQueries * kTileStride)),
        factor_(scratch_.take(kQueries * kTileStride)),
        query_(scratch_.take(kQueries * shape.stride())),
        dout_(scratch_.take(kQueries * shape.stride())),
        dquery_(scratch_.take(kQueries * shape.stride())) {}

  void begin(Panel<const T> keys, Panel<const T> values) {
    pack_tiles_across<Of>(shape_, keys, keys_across_);
    pack_tiles_across<Of>(shape_, values, values_across_);
    Of::pack_along({shape_.length, shape_.head_width}, keys, {keys_, shape_.stride()});
    std::fill_n(dkeys_, shape_.elements(), Sum(0));
    std::fill_n(dvalues_, shape_.elements(), Sum(0));
  }

  // One head of those that share the keys and values of begin(): `query` becomes its gradient.
  void run(Panel<T> query, const std::int64_t* first_visible, const HeadOutput<T>& head) {
    for_each_block(shape_.length, [&](std::int64_t first, std::int64_t rows) {
      const Panel<T> q{query.data + first * query.stride, query.stride};
      const Panel<const T> out{head.out.data + first * head.out.stride, head.out.stride};
      const Panel<const T> dout{head.dout.data + first * head.dout.stride, head.dout.stride};
      row_dots(dout, out, rows, shape_.head_width, dots_);
      const Panel<Sum> query_along{query_, shape_.stride()}, dout_along{dout_, shape_.stride()};
      Of::pack_along({rows, shape_.head_width}, {q.data, q.stride}, query_along);
      Of::pack_along({rows, shape_.head_width}, dout, dout_along);
      const auto left = Of::left({q.data, q.stride}, {query_, shape_.stride()});
      const auto dleft = Of::left(dout, {dout_, shape_.stride()});
      std::fill_n(dquery_, rows * shape_.stride(), Sum(0));
      for_each_tile(first, rows, first_visible, [&](const ScoreTile& tile) {
        add(tile, left, dleft, head.log_sum_exp + first);
      });
      unpack(dquery_, rows, q);
    });
  }

  // The gradients of the keys and values of begin().
  void end(Panel<T> dkeys, Panel<T> dvalues) {
    unpack(dkeys_, shape_.length, dkeys);
    unpack(dvalues_, shape_.length, dvalues);
  }

 private:
  void add(const ScoreTile& tile, Left<Sum> query, Left<Sum> dout, const Sum* log_sum_exp) {
    const std::int64_t stride = shape_.stride(), at = tile.first_key * stride;
    const SmallProduct scores{tile.rows, panel_columns(tile.keys), shape_.head_width, Into::kNew};
    const std::int64_t across = shape_.across(tile.first_key);
    Of::product(scores, query, {keys_across_ + across, kTileStride}, {scores_, kTileStride});
    Of::product(scores, dout, {values_across_ + across, kTileStride}, {dscores_, kTileStride});
    softmax_backward_tile(scores_, dscores_, log_sum_exp, dots_, static_cast<Sum>(shape_.scale()),
                          tile);

    const SmallProduct by_key{tile.keys, shape_.columns(), tile.rows, Into::kSum};
    Of::product(by_key, Of::turned_tile(tile, scores_, factor_), {dout_, stride},
                {dvalues_ + at, stride});
    Of::product(by_key, Of::turned_tile(tile, dscores_, factor_), {query_, stride},
                {dkeys_ + at, stride});
    Of::product({tile.rows, shape_.columns(), tile.keys, Into::kSum},
                Of::tile(tile, dscores_, factor_), {keys_ + at / Of::kUnit, stride},
                {dquery_, stride});
  }

  void unpack(const Sum* from, std::int64_t rows, Panel<T> to) {
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t i = 0; i < shape_.head_width; ++i)
        to.data[r * to.stride + i] = rounded<T>(from[r * shape_.stride() + i]);
  }

  Shape shape_;
  Scratch<Sum> scratch_;
  Sum *keys_across_, *values_across_, *keys_, *dkeys_, *dvalues_, *scores_, *dscores_, *factor_,
      *query_, *dout_, *dquery_;
  Sum dots_[kQueries];
};

// Calls `function` with a value of the element type and whether its products take pairs of bf16.
template <class Function>
void for_factors(const at::Tensor& q, const Shape& shape, const Function& function) {
  for_activation_type(q, [&]<class T>(T value) {
    if constexpr (std::is_same_v<T, Bf16>)
      if (has_pair_product() && shape.head_width % 2 == 0) return function(value, std::true_type{});
    function(value, std::false_type{});
  });
}

Shape shape_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, HeadCounts heads,
               const at::Tensor& first_visible) {
  check(are_rows(q) && are_rows(k) && are_rows(v) && k.stride(1) == v.stride(1) &&
            heads.query % heads.key_value == 0 && q.size(2) % heads.query == 0 &&
            k.sizes() == v.sizes() && k.size(0) == q.size(0) && k.size(1) == q.size(1) &&
            k.size(2) * heads.query == q.size(2) * heads.key_value,
        "attention: expected q [sequences, length, query heads * head_width], k and v with key "
        "heads");
  check(!first_visible.defined() ||
            (first_visible.is_contiguous() && first_visible.scalar_type() == at::kLong &&
             first_visible.numel() == q.size(0) * q.size(1)),
        "attention: expected first_visible int64 [sequences, length]");
  return {q.size(0),
          q.size(1),
          heads,
          q.size(2) / heads.query,
          q.stride(1),
          k.stride(1),
          first_visible.defined() ? first_visible.const_data_ptr<std::int64_t>() : nullptr};
}

}  // namespace

Attention attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, HeadCounts heads,
                    const at::Tensor& first_visible) {
  const Shape shape = shape_of(q, k, v, heads, first_visible);
  Attention result{at::empty(q.sizes(), q.options()),
                   at::empty({shape.sequences, heads.query, shape.length},
                             q.options().dtype(wide_type(q.scalar_type())))};
  for_factors(q, shape, [&]<class T, bool kPairs>(T, std::bool_constant<kPairs>) {
    Forward<T, kPairs> forward(shape);
    for (std::int64_t s = 0; s < shape.sequences; ++s)
      for (std::int64_t key_head = 0; key_head < heads.key_value; ++key_head) {
        const std::int64_t key = shape.at(s, key_head, shape.key_stride);
        forward.begin({k.const_data_ptr<T>() + key, shape.key_stride},
                      {v.const_data_ptr<T>() + key, shape.key_stride});
        for (std::int64_t i = 0; i < shape.group(); ++i) {
          const std::int64_t head = key_head * shape.group() + i, stride = shape.out_stride();
          forward.run(
              {q.const_data_ptr<T>() + shape.at(s, head, shape.query_stride), shape.query_stride},
              shape.first_visible_of(s),
              {result.out.mutable_data_ptr<T>() + shape.at(s, head, stride), stride},
              result.log_sum_exp.mutable_data_ptr<Wide<T>>() + shape.row(s, head));
        }
      }
  });
  return result;
}

void attention_backward(const at::Tensor& dout, at::Tensor& q, at::Tensor& k, at::Tensor& v,
                        const Attention& forward, HeadCounts heads,
                        const at::Tensor& first_visible) {
  const Shape shape = shape_of(q, k, v, heads, first_visible);
  check(dout.is_contiguous() && dout.sizes() == q.sizes(), "attention: dout must be shaped as q");
  for_factors(q, shape, [&]<class T, bool kPairs>(T, std::bool_constant<kPairs>) {
    Backward<T, kPairs> backward(shape);
    for (std::int64_t s = 0; s < shape.sequences; ++s)
      for (std::int64_t key_head = 0; key_head < heads.key_value; ++key_head) {
        const std::int64_t key = shape.at(s, key_head, shape.key_stride);
        const Panel<T> keys{k.mutable_data_ptr<T>() + key, shape.key_stride};
        const Panel<T> values{v.mutable_data_ptr<T>() + key, shape.key_stride};
        backward.begin({keys.data, keys.stride}, {values.data, values.stride});
        for (std::int64_t i = 0; i < shape.group(); ++i) {
          const std::int64_t head = key_head * shape.group() + i, stride = shape.out_stride();
          const std::int64_t out = shape.at(s, head, stride);
          backward.run(
              {q.mutable_data_ptr<T>() + shape.at(s, head, shape.query_stride), shape.query_stride},
              shape.first_visible_of(s),
              {{dout.const_data_ptr<T>() + out, stride},
               {forward.out.const_data_ptr<T>() + out, stride},
               forward.log_sum_exp.const_data_ptr<Wide<T>>() + shape.row(s, head)});
        }
        backward.end(keys, values);
      }
  });
}

}  // namespace phalanx::kernels
