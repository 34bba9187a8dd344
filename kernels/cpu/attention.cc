#include <limits>

#include "kernels/cpu/attention_factors.h"
#include "kernels/cpu/attention_shape.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

// kInto: whether the outputs are new, or those of other keys, which have not been rounded.
template <class T, bool kPairs, Into kInto>
class Forward {
  using Of = Factors<T, kPairs>;
  using Sum = Wide<T>;
  using Out = Result<T, kInto>;
  static constexpr Sum kNothing = -std::numeric_limits<Sum>::infinity();

 public:
  explicit Forward(const AttentionShape& shape)
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
    Of::pack_along({shape_.keys, shape_.head_width}, values, {values_, shape_.stride()});
  }

  // One head of those that share the keys and values of begin().
  void run(Panel<const T> query, const std::int64_t* first_visible, Panel<Out> out,
           Sum* log_sum_exp) {
    for_each_block(shape_.queries, [&](std::int64_t first, std::int64_t rows) {
      const Panel<Out> block_out{out.data + first * out.stride, out.stride};
      start(block_out, log_sum_exp + first, rows);
      const Panel<const T> block{query.data + first * query.stride, query.stride};
      if constexpr (!kPairs) pack({rows, shape_.head_width}, block, {query_, shape_.stride()});
      const auto left = Of::left(block, {query_, shape_.stride()});
      for_each_tile(shape_, first, rows, first_visible,
                    [&](const ScoreTile& tile, std::int64_t key) { add(tile, key, left); });
      write(block_out, log_sum_exp + first, rows);
    });
  }

 private:
  void start(Panel<Out> out, const Sum* log_sum_exp, std::int64_t rows) {
    std::fill_n(running_.out.data, rows * shape_.stride(), Sum(0));
    std::fill_n(running_.largest, rows, kNothing);
    std::fill_n(running_.sum, rows, Sum(0));
    if constexpr (kInto == Into::kSum)
      for (std::int64_t r = 0; r < rows; ++r) {
        if (log_sum_exp[r] == kNothing) continue;
        // One key with the weight of all that were seen.
        running_.largest[r] = log_sum_exp[r];
        running_.sum[r] = 1;
        std::copy_n(out.data + r * out.stride, shape_.head_width,
                    running_.out.data + r * shape_.stride());
      }
  }

  void add(const ScoreTile& tile, std::int64_t key, Left<Sum> query) {
    Of::product({tile.rows, panel_columns(tile.keys), shape_.head_width, Into::kNew}, query,
                {keys_ + shape_.across(key), kTileStride}, {scores_, kTileStride});
    softmax_tile(scores_, static_cast<Sum>(shape_.scale()), running_, tile);
    Of::product({tile.rows, shape_.columns(), tile.keys, Into::kSum},
                Of::tile(tile, scores_, factor_),
                {values_ + key / Of::kUnit * shape_.stride(), shape_.stride()}, running_.out);
  }

  void write(Panel<Out> out, Sum* log_sum_exp, std::int64_t rows) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const Sum inverse = running_.sum[r] == 0 ? 0 : 1 / running_.sum[r];
      for (std::int64_t i = 0; i < shape_.head_width; ++i)
        out.data[r * out.stride + i] =
            rounded<Out>(running_.out.data[r * shape_.stride() + i] * inverse);
      log_sum_exp[r] = running_.largest[r] + std::log(running_.sum[r]);
    }
  }

  AttentionShape shape_;
  Scratch<Sum> scratch_;
  Sum *keys_, *values_, *scores_, *factor_, *query_;
  RunningOutput<Sum> running_;
};

template <Into kInto, class T, class Out>
void attend(const AttentionForward<T, Out>& a) {
  const AttentionShape shape(a.sizes);
  for_factors<T>(shape.head_width, [&]<bool kPairs>(std::bool_constant<kPairs>) {
    const std::int64_t width = shape.head_width;
    Forward<T, kPairs, kInto> forward(shape);
    for_each_key_head(
        shape, [&](std::int64_t s, std::int64_t key_head, std::int64_t head, std::int64_t end) {
          forward.begin(head_of(a.k, s, key_head, width), head_of(a.v, s, key_head, width));
          for (; head < end; ++head)
            forward.run(head_of(a.q, s, head, width), shape.first_visible_of(s),
                        head_of(a.out, s, head, width), head_of(a.log_sum_exp, s, head));
        });
  });
}

template <class T>
void attend_to(const AttentionForward<T, T>& a) {
  if constexpr (std::is_same_v<T, Wide<T>>)
    if (a.into == Into::kSum) return attend<Into::kSum>(a);
  attend<Into::kNew>(a);
}

}  // namespace

template <>
void perform<Cpu>(const AttentionForward<float, float>& a) {
  attend_to(a);
}
template <>
void perform<Cpu>(const AttentionForward<double, double>& a) {
  attend_to(a);
}
template <>
void perform<Cpu>(const AttentionForward<Bf16, Bf16>& a) {
  attend_to(a);
}
template <>
void perform<Cpu>(const AttentionForward<Bf16, float>& a) {
  attend<Into::kSum>(a);
}

}  // namespace phalanx::kernels
