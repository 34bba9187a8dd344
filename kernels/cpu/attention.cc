#include "kernels/attention.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

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
  const std::int64_t* first_visible;  // null: 0

  std::int64_t group() const { return heads.query / heads.key_value; }
  std::int64_t query_stride() const { return heads.query * head_width; }
  std::int64_t key_stride() const { return heads.key_value * head_width; }
  // Where the first position of a head is, in elements.
  std::int64_t query(std::int64_t sequence, std::int64_t head) const {
    return sequence * length * query_stride() + head * head_width;
  }
  std::int64_t key(std::int64_t sequence, std::int64_t head) const {
    return sequence * length * key_stride() + head * head_width;
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

// Keys or values as right factors of products along the head's width, a tile after the other.
template <class T>
void pack_across(const Shape& shape, Panel<const T> head, T* to) {
  for (std::int64_t first = 0; first < shape.length; first += kKeys)
    pack_transposed({std::min(kKeys, shape.length - first), shape.head_width},
                    {head.data + first * head.stride, head.stride},
                    {to + shape.across(first), kTileStride});
}

template <class T>
class Forward {
 public:
  explicit Forward(const Shape& shape)
      : shape_(shape),
        scratch_(shape.across_elements() + shape.elements() +
                 kQueries * (kTileStride + shape.stride())),
        keys_(scratch_.take(shape.across_elements())),
        values_(scratch_.take(shape.elements())),
        scores_(scratch_.take(kQueries * kTileStride)),
        running_{
            {scratch_.take(kQueries * shape.stride()), shape.stride()}, shape.columns(), {}, {}} {}

  void begin(Panel<const T> keys, Panel<const T> values) {
    pack_across(shape_, keys, keys_);
    pack({shape_.length, shape_.head_width}, values, {values_, shape_.stride()});
  }

  // One head of those that share the keys and values of begin().
  void run(Panel<const T> query, const std::int64_t* first_visible, Panel<T> out, T* log_sum_exp) {
    for_each_block(shape_.length, [&](std::int64_t first, std::int64_t rows) {
      std::fill_n(running_.largest, rows, -std::numeric_limits<T>::infinity());
      std::fill_n(running_.sum, rows, T(0));
      std::fill_n(running_.out.data, rows * shape_.stride(), T(0));
      for_each_tile(first, rows, first_visible, [&](const ScoreTile& tile) {
        add(tile, query.data + first * query.stride, query.stride);
      });
      write({out.data + first * out.stride, out.stride}, log_sum_exp + first, rows);
    });
  }

 private:
  void add(const ScoreTile& tile, const T* query, std::int64_t stride) {
    small_product({tile.rows, panel_columns(tile.keys), shape_.head_width, Into::kNew},
                  {query, stride, 1}, {keys_ + shape_.across(tile.first_key), kTileStride},
                  {scores_, kTileStride});
    softmax_tile(scores_, static_cast<T>(shape_.scale()), running_, tile);
    small_product({tile.rows, shape_.columns(), tile.keys, Into::kSum}, {scores_, kTileStride, 1},
                  {values_ + tile.first_key * shape_.stride(), shape_.stride()}, running_.out);
  }

  void write(Panel<T> out, T* log_sum_exp, std::int64_t rows) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const T inverse = 1 / running_.sum[r];
      for (std::int64_t i = 0; i < shape_.head_width; ++i)
        out.data[r * out.stride + i] = running_.out.data[r * shape_.stride() + i] * inverse;
      log_sum_exp[r] = running_.largest[r] + std::log(running_.sum[r]);
    }
  }

  Shape shape_;
  Scratch<T> scratch_;
  T *keys_, *values_, *scores_;
  RunningOutput<T> running_;
};

// What the backward pass reads of one head beside q, k and v.
template <class T>
struct HeadOutput {
  Panel<const T> dout, out;
  const T* log_sum_exp;
};

template <class T>
class Backward {
 public:
  explicit Backward(const Shape& shape)
      : shape_(shape),
        scratch_(2 * shape.across_elements() + 3 * shape.elements() +
                 kQueries * (2 * kTileStride + 3 * shape.stride())),
        keys_across_(scratch_.take(shape.across_elements())),
        values_across_(scratch_.take(shape.across_elements())),
        keys_(scratch_.take(shape.elements())),
        dkeys_(scratch_.take(shape.elements())),
        dvalues_(scratch_.take(shape.elements())),
        scores_(scratch_.take(kQueries * kTileStride)),
        dscores_(scratch_.take(kQueries * kTileStride)),
        query_(scratch_.take(kQueries * shape.stride())),
        dout_(scratch_.take(kQueries * shape.stride())),
        dquery_(scratch_.take(kQueries * shape.stride())) {}

  void begin(Panel<const T> keys, Panel<const T> values) {
    pack_across(shape_, keys, keys_across_);
    pack_across(shape_, values, values_across_);
    pack({shape_.length, shape_.head_width}, keys, {keys_, shape_.stride()});
    std::fill_n(dkeys_, shape_.elements(), T(0));
    std::fill_n(dvalues_, shape_.elements(), T(0));
  }

  // One head of those that share the keys and values of begin(): `query` becomes its gradient.
  void run(Panel<T> query, const std::int64_t* first_visible, const HeadOutput<T>& head) {
    for_each_block(shape_.length, [&](std::int64_t first, std::int64_t rows) {
      const Panel<T> q{query.data + first * query.stride, query.stride};
      const Panel<const T> out{head.out.data + first * head.out.stride, head.out.stride};
      const Panel<const T> dout{head.dout.data + first * head.dout.stride, head.dout.stride};
      row_dots(dout, out, rows, shape_.head_width, dots_);
      pack({rows, shape_.head_width}, {q.data, q.stride}, {query_, shape_.stride()});
      pack({rows, shape_.head_width}, dout, {dout_, shape_.stride()});
      std::fill_n(dquery_, rows * shape_.stride(), T(0));
      for_each_tile(first, rows, first_visible,
                    [&](const ScoreTile& tile) { add(tile, head.log_sum_exp + first); });
      unpack(dquery_, rows, q);
    });
  }

  // The gradients of the keys and values of begin().
  void end(Panel<T> dkeys, Panel<T> dvalues) {
    unpack(dkeys_, shape_.length, dkeys);
    unpack(dvalues_, shape_.length, dvalues);
  }

 private:
  void add(const ScoreTile& tile, const T* log_sum_exp) {
    const std::int64_t stride = shape_.stride(), at = tile.first_key * stride;
    const SmallProduct scores{tile.rows, panel_columns(tile.keys), shape_.head_width, Into::kNew};
    const std::int64_t across = shape_.across(tile.first_key);
    small_product(scores, {query_, stride, 1}, {keys_across_ + across, kTileStride},
                  {scores_, kTileStride});
    small_product(scores, {dout_, stride, 1}, {values_across_ + across, kTileStride},
                  {dscores_, kTileStride});
    softmax_backward_tile(scores_, dscores_, log_sum_exp, dots_, static_cast<T>(shape_.scale()),
                          tile);

    const SmallProduct by_key{tile.keys, shape_.columns(), tile.rows, Into::kSum};
    small_product(by_key, {scores_, 1, kTileStride}, {dout_, stride}, {dvalues_ + at, stride});
    small_product(by_key, {dscores_, 1, kTileStride}, {query_, stride}, {dkeys_ + at, stride});
    small_product({tile.rows, shape_.columns(), tile.keys, Into::kSum}, {dscores_, kTileStride, 1},
                  {keys_ + at, stride}, {dquery_, stride});
  }

  void unpack(const T* from, std::int64_t rows, Panel<T> to) {
    for (std::int64_t r = 0; r < rows; ++r)
      std::copy_n(from + r * shape_.stride(), shape_.head_width, to.data + r * to.stride);
  }

  Shape shape_;
  Scratch<T> scratch_;
  T *keys_across_, *values_across_, *keys_, *dkeys_, *dvalues_, *scores_, *dscores_, *query_,
      *dout_, *dquery_;
  T dots_[kQueries];
};

Shape shape_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, HeadCounts heads,
               const at::Tensor& first_visible) {
  check(q.dim() == 3 && q.is_contiguous() && k.is_contiguous() && v.is_contiguous() &&
            heads.query % heads.key_value == 0 && q.size(2) % heads.query == 0 &&
            k.sizes() == v.sizes() && k.size(0) == q.size(0) && k.size(1) == q.size(1) &&
            k.size(2) * heads.query == q.size(2) * heads.key_value,
        "attention: expected q [sequences, length, query heads * head_width], k and v with key "
        "heads");
  check(!first_visible.defined() ||
            (first_visible.is_contiguous() && first_visible.scalar_type() == at::kLong &&
             first_visible.numel() == q.size(0) * q.size(1)),
        "attention: expected first_visible int64 [sequences, length]");
  return {q.size(0), q.size(1), heads, q.size(2) / heads.query,
          first_visible.defined() ? first_visible.const_data_ptr<std::int64_t>() : nullptr};
}

}  // namespace

Attention attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, HeadCounts heads,
                    const at::Tensor& first_visible) {
  const Shape shape = shape_of(q, k, v, heads, first_visible);
  Attention result{at::empty_like(q),
                   at::empty({shape.sequences, heads.query, shape.length}, q.options())};
  for_element_type(q, [&]<class T>(T) {
    Forward<T> forward(shape);
    for (std::int64_t s = 0; s < shape.sequences; ++s)
      for (std::int64_t key_head = 0; key_head < heads.key_value; ++key_head) {
        const std::int64_t key = shape.key(s, key_head);
        forward.begin({k.const_data_ptr<T>() + key, shape.key_stride()},
                      {v.const_data_ptr<T>() + key, shape.key_stride()});
        for (std::int64_t i = 0; i < shape.group(); ++i) {
          const std::int64_t head = key_head * shape.group() + i, query = shape.query(s, head);
          forward.run({q.const_data_ptr<T>() + query, shape.query_stride()},
                      shape.first_visible_of(s),
                      {result.out.mutable_data_ptr<T>() + query, shape.query_stride()},
                      result.log_sum_exp.mutable_data_ptr<T>() + shape.row(s, head));
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
  for_element_type(q, [&]<class T>(T) {
    Backward<T> backward(shape);
    for (std::int64_t s = 0; s < shape.sequences; ++s)
      for (std::int64_t key_head = 0; key_head < heads.key_value; ++key_head) {
        const std::int64_t key = shape.key(s, key_head), stride = shape.query_stride();
        const Panel<T> keys{k.mutable_data_ptr<T>() + key, shape.key_stride()};
        const Panel<T> values{v.mutable_data_ptr<T>() + key, shape.key_stride()};
        backward.begin({keys.data, keys.stride}, {values.data, values.stride});
        for (std::int64_t i = 0; i < shape.group(); ++i) {
          const std::int64_t head = key_head * shape.group() + i, query = shape.query(s, head);
          backward.run({q.mutable_data_ptr<T>() + query, stride}, shape.first_visible_of(s),
                       {{dout.const_data_ptr<T>() + query, stride},
                        {forward.out.const_data_ptr<T>() + query, stride},
                        forward.log_sum_exp.const_data_ptr<T>() + shape.row(s, head)});
        }
        backward.end(keys, values);
      }
  });
}

}  // namespace phalanx::kernels
