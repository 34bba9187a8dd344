#include "parallel/ulysses_attention.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <vector>

#include "layout/zigzag.h"
#include "parallel/tensor_buffer.h"

namespace phalanx::parallel {
namespace {

// Which heads each rank attends with.
struct Share {
  std::int64_t ranks, head_width;
  kernels::HeadCounts all, heads;  // of a rank

  Share(comm::Group& context, const at::Tensor& q, kernels::HeadCounts all)
      : ranks(context.size()),
        head_width(q.size(2) / all.query),
        all(all),
        heads{all.query / ranks, std::max<std::int64_t>(1, all.key_value / ranks)} {
    check(all.query % ranks == 0 && (all.key_value % ranks == 0 || ranks % all.key_value == 0),
          "ulysses attention: expected heads that the ranks can share");
  }
  std::int64_t query_width() const { return heads.query * head_width; }
  std::int64_t key_width() const { return heads.key_value * head_width; }
  std::int64_t width() const { return query_width() + 2 * key_width(); }
  at::Tensor queries(const at::Tensor& q, std::int64_t rank) const {
    return q.narrow(2, rank * query_width(), query_width());
  }
  at::Tensor keys(const at::Tensor& k, std::int64_t rank) const {
    return k.narrow(2, rank * all.key_value / ranks * head_width, key_width());
  }
  // Columns of what a rank has of all three.
  std::vector<at::Tensor> parts(const at::Tensor& projected) const {
    return projected.split_with_sizes({query_width(), key_width(), key_width()}, -1);
  }
};

// x [ranks, sequences, length / ranks, width] is by rank what it gets; the result what it has sent.
at::Tensor exchange(comm::Group& context, const at::Tensor& x) {
  auto result = at::empty_like(x);
  const std::vector<std::size_t> counts(static_cast<std::size_t>(context.size()),
                                        static_cast<std::size_t>(x[0].numel()));
  context.all_to_all(buffer_of(x), counts, buffer_of(result), counts).wait(comm::DeviceStream{});
  return result;
}

// Calls body(rows of `whole`, rows of by_rank[rank]) for the pieces of every rank, where `whole`
// has the positions of a sequence in dimension 1 in their order.
template <class Body>
void for_each_piece(const at::Tensor& whole, const at::Tensor& by_rank, const Body& body) {
  const auto ranks = static_cast<int>(by_rank.size(0));
  for (int rank = 0; rank < ranks; ++rank) {
    std::int64_t row = 0;
    for (const auto& run : layout::zigzag_pieces(whole.size(1), ranks, rank)) {
      body(whole.narrow(1, run.first, run.length), by_rank[rank].narrow(1, row, run.length));
      row += run.length;
    }
  }
}

// [ranks, sequences, length / ranks, ...] -> [sequences, length, ...], and back.
at::Tensor in_order(const at::Tensor& by_rank) {
  auto shape = by_rank[0].sizes().vec();
  shape[1] *= by_rank.size(0);
  auto whole = at::empty(shape, by_rank.options());
  for_each_piece(whole, by_rank, [](const at::Tensor& to, const at::Tensor& x) { to.copy_(x); });
  return whole;
}
at::Tensor by_rank(const at::Tensor& whole, std::int64_t ranks) {
  auto shape = whole.sizes().vec();
  shape[1] /= ranks;
  shape.insert(shape.begin(), ranks);
  auto result = at::empty(shape, whole.options());
  for_each_piece(whole, result, [](const at::Tensor& x, const at::Tensor& to) { to.copy_(x); });
  return result;
}

// Heads of the whole sequence for these positions' heads.
at::Tensor whole_sequence(comm::Group& context, const Share& share, const at::Tensor& queries) {
  auto mine = at::empty({share.ranks, queries.size(0), queries.size(1), share.query_width()},
                        queries.options());
  for (std::int64_t rank = 0; rank < share.ranks; ++rank)
    mine[rank].copy_(share.queries(queries, rank));
  return in_order(exchange(context, mine));
}

at::Tensor whole_sequence(comm::Group& context, const Share& share, const at::Tensor& q,
                          const at::Tensor& k, const at::Tensor& v) {
  auto mine = at::empty({share.ranks, q.size(0), q.size(1), share.width()}, q.options());
  for (std::int64_t rank = 0; rank < share.ranks; ++rank) {
    const auto parts = share.parts(mine[rank]);
    parts[0].copy_(share.queries(q, rank));
    parts[1].copy_(share.keys(k, rank));
    parts[2].copy_(share.keys(v, rank));
  }
  return in_order(exchange(context, mine));
}

}  // namespace

UlyssesAttention ulysses_attention(comm::Group& context, const at::Tensor& q, const at::Tensor& k,
                                   const at::Tensor& v, kernels::HeadCounts heads,
                                   const at::Tensor& first_visible) {
  const Share share(context, q, heads);
  UlyssesAttention result;
  result.projected = whole_sequence(context, share, q, k, v);
  const auto parts = share.parts(result.projected);
  result.whole = kernels::attention(parts[0], parts[1], parts[2], share.heads, first_visible);
  const auto outs = exchange(context, by_rank(result.whole.out, share.ranks));
  result.out = at::empty(q.sizes(), q.options());
  for (std::int64_t rank = 0; rank < share.ranks; ++rank)
    share.queries(result.out, rank).copy_(outs[rank]);
  return result;
}

void ulysses_attention_backward(comm::Group& context, const at::Tensor& dout, at::Tensor& q,
                                at::Tensor& k, at::Tensor& v, UlyssesAttention& forward,
                                kernels::HeadCounts heads, const at::Tensor& first_visible) {
  const Share share(context, q, heads);
  auto parts = share.parts(forward.projected);
  kernels::attention_backward(whole_sequence(context, share, dout), parts[0], parts[1], parts[2],
                              forward.whole, share.heads, first_visible);
  const auto gradients = exchange(context, by_rank(forward.projected, share.ranks));
  // Several ranks may have attended to one key head.
  const auto sums = k.options().dtype(forward.whole.log_sum_exp.scalar_type());
  const auto dk = at::zeros(k.sizes(), sums), dv = at::zeros(v.sizes(), sums);
  for (std::int64_t rank = 0; rank < share.ranks; ++rank) {
    const auto from = share.parts(gradients[rank]);
    share.queries(q, rank).copy_(from[0]);
    share.keys(dk, rank).add_(from[1]);
    share.keys(dv, rank).add_(from[2]);
  }
  k.copy_(dk);
  v.copy_(dv);
}

}  // namespace phalanx::parallel
