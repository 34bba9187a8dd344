#include "kernels/attention.h"
#include "kernels/cpu/attention_factors.h"
#include "kernels/cpu/attention_shape.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

// What the backward pass reads of one head beside q, k and v.
template <class T>
struct HeadOutput {
  Panel<const T> dout, out;
  const Wide<T>* log_sum_exp;
};

// kInto: whether the gradients are new, or added to sums.
template <class T, bool kPairs, Into kInto>
class Backward {
  using Of = Factors<T, kPairs>;
  using Sum = Wide<T>;
  using Gradient = Result<T, kInto>;

 public:
  explicit Backward(const AttentionShape& shape)
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
    Of::pack_along({shape_.keys, shape_.head_width}, keys, {keys_, shape_.stride()});
    std::fill_n(dkeys_, shape_.elements(), Sum(0));
    std::fill_n(dvalues_, shape_.elements(), Sum(0));
  }

  // One head of those that share the keys and values of begin(). `dquery` may be the same memory.
  void run(Panel<const T> query, Panel<Gradient> dquery, const std::int64_t* first_visible,
           const HeadOutput<T>& head) {
    for_each_block(shape_.queries, [&](std::int64_t first, std::int64_t rows) {
      const Panel<const T> q{query.data + first * query.stride, query.stride};
      const Panel<const T> out{head.out.data + first * head.out.stride, head.out.stride};
      const Panel<const T> dout{head.dout.data + first * head.dout.stride, head.dout.stride};
      row_dots(dout, out, rows, shape_.head_width, dots_);
      const Panel<Sum> query_along{query_, shape_.stride()}, dout_along{dout_, shape_.stride()};
      Of::pack_along({rows, shape_.head_width}, q, query_along);
      Of::pack_along({rows, shape_.head_width}, dout, dout_along);
      const auto left = Of::left(q, {query_, shape_.stride()});
      const auto dleft = Of::left(dout, {dout_, shape_.stride()});
      std::fill_n(dquery_, rows * shape_.stride(), Sum(0));
      for_each_tile(shape_, first, rows, first_visible,
                    [&](const ScoreTile& tile, std::int64_t key) {
                      add(tile, key, left, dleft, head.log_sum_exp + first);
                    });
      unpack(dquery_, rows, {dquery.data + first * dquery.stride, dquery.stride});
    });
  }

  // The gradients of the keys and values of begin().
  void end(Panel<Gradient> dkeys, Panel<Gradient> dvalues) {
    unpack(dkeys_, shape_.keys, dkeys);
    unpack(dvalues_, shape_.keys, dvalues);
  }

 private:
  void add(const ScoreTile& tile, std::int64_t key, Left<Sum> query, Left<Sum> dout,
           const Sum* log_sum_exp) {
    const std::int64_t stride = shape_.stride(), at = key * stride;
    const SmallProduct scores{tile.rows, panel_columns(tile.keys), shape_.head_width, Into::kNew};
    const std::int64_t across = shape_.across(key);
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

  void unpack(const Sum* from, std::int64_t rows, Panel<Gradient> to) {
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t i = 0; i < shape_.head_width; ++i) {
        const Sum value = from[r * shape_.stride() + i];
        Gradient& gradient = to.data[r * to.stride + i];
        if constexpr (kInto == Into::kSum)
          gradient += value;
        else
          gradient = rounded<Gradient>(value);
      }
  }

  AttentionShape shape_;
  Scratch<Sum> scratch_;
  Sum *keys_across_, *values_across_, *keys_, *dkeys_, *dvalues_, *scores_, *dscores_, *factor_,
      *query_, *dout_, *dquery_;
  Sum dots_[kQueries];
};

template <Into kInto, class T, class Gradient>
void attend_backward(const AttentionBackward<T, Gradient>& a) {
  const AttentionShape shape(a.sizes);
  for_factors<T>(shape.head_width, [&]<bool kPairs>(std::bool_constant<kPairs>) {
    const std::int64_t width = shape.head_width;
    Backward<T, kPairs, kInto> backward(shape);
    for_each_key_head(
        shape, [&](std::int64_t s, std::int64_t key_head, std::int64_t head, std::int64_t end) {
          backward.begin(head_of(a.k, s, key_head, width), head_of(a.v, s, key_head, width));
          for (; head < end; ++head)
            backward.run(head_of(a.q, s, head, width), head_of(a.dq, s, head, width),
                         shape.first_visible_of(s),
                         {head_of(a.dout, s, head, width), head_of(a.out, s, head, width),
                          head_of(a.log_sum_exp, s, head)});
          backward.end(head_of(a.dk, s, key_head, width), head_of(a.dv, s, key_head, width));
        });
  });
}

template <class T>
void attend_backward_to(const AttentionBackward<T, T>& a) {
  if constexpr (std::is_same_v<T, Wide<T>>)
    if (a.into == Into::kSum) return attend_backward<Into::kSum>(a);
  attend_backward<Into::kNew>(a);
}

}  // namespace

template <>
void perform<Cpu>(const AttentionBackward<float, float>& a) {
  attend_backward_to(a);
}
template <>
void perform<Cpu>(const AttentionBackward<double, double>& a) {
  attend_backward_to(a);
}
template <>
void perform<Cpu>(const AttentionBackward<Bf16, Bf16>& a) {
  attend_backward_to(a);
}
template <>
void perform<Cpu>(const AttentionBackward<Bf16, float>& a) {
  attend_backward<Into::kSum>(a);
}

}  // namespace phalanx::kernels
