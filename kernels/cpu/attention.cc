#include "kernels/attention.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "kernels/cpu/attention_factors.h"
#include "kernels/cpu/attention_shape.h"

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

template <Into kInto>
void attend(const AttentionShape& shape, const at::Tensor& q, const at::Tensor& k,
            const at::Tensor& v, Attention& result) {
  for_factors(q, shape.head_width, [&]<class T, bool kPairs>(T, std::bool_constant<kPairs>) {
    using Out = Result<T, kInto>;
    const std::int64_t width = shape.head_width;
    auto* log_sum_exp = result.log_sum_exp.mutable_data_ptr<Wide<T>>();
    Forward<T, kPairs, kInto> forward(shape);
    for_each_key_head(
        shape, [&](std::int64_t s, std::int64_t key_head, std::int64_t head, std::int64_t end) {
          forward.begin(head_of<T>(k, s, key_head, width), head_of<T>(v, s, key_head, width));
          for (; head < end; ++head)
            forward.run(head_of<T>(q, s, head, width), shape.first_visible_of(s),
                        mutable_head_of<Out>(result.out, s, head, width),
                        log_sum_exp + s * result.log_sum_exp.stride(0) +
                            head * result.log_sum_exp.stride(1));
        });
  });
}

}  // namespace

Attention attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, HeadCounts heads,
                    const at::Tensor& first_visible) {
  const auto shape = attention_shape(q, k, v, heads, {}, first_visible);
  check(shape.queries == shape.keys, "attention: expected as many keys as queries");
  Attention result{at::empty(q.sizes(), q.options()),
                   at::empty({shape.sequences, heads.query, shape.queries},
                             q.options().dtype(wide_type(q.scalar_type())))};
  attend<Into::kNew>(shape, q, k, v, result);
  return result;
}

Attention no_attention(const at::Tensor& q, HeadCounts heads) {
  const auto options = q.options().dtype(wide_type(q.scalar_type()));
  return {at::zeros(q.sizes(), options),
          at::full({q.size(0), heads.query, q.size(1)}, -std::numeric_limits<double>::infinity(),
                   options)};
}

void add_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, HeadCounts heads,
                   FirstPositions first, Attention& so_far, const at::Tensor& first_visible) {
  check(so_far.out.sizes() == q.sizes() && has_rows(so_far.out) &&
            so_far.out.scalar_type() == wide_type(q.scalar_type()),
        "attention: what there is so far must be shaped as q, in the type of sums");
  attend<Into::kSum>(attention_shape(q, k, v, heads, first, first_visible), q, k, v, so_far);
}

}  // namespace phalanx::kernels
