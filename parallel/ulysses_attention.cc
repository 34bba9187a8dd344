#include "parallel/ulysses_attention.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <vector>

#include "layout/exchanged_heads.h"
#include "layout/zigzag.h"
#include "parallel/flight.h"
#include "parallel/tensor_buffer.h"

namespace phalanx::parallel {
namespace {

// Which heads each rank attends with, group by group.
struct Share {
  std::int64_t ranks, head_width, groups;
  kernels::HeadCounts all, heads;  // of a group

  Share(comm::Group& context, const at::Tensor& q, kernels::HeadCounts all)
      : ranks(context.size()),
        head_width(q.size(2) / all.query),
        groups(layout::exchanged_head_groups(all.key_value, ranks)),
        all(all),
        heads{all.query / ranks / groups,
              std::max<std::int64_t>(1, all.key_value / ranks) / groups} {
    check(all.query % ranks == 0 && (all.key_value % ranks == 0 || ranks % all.key_value == 0),
          "ulysses attention: expected heads that the ranks can share");
  }
  std::int64_t query_width() const { return heads.query * head_width; }
  std::int64_t key_width() const { return heads.key_value * head_width; }
  std::int64_t width() const { return query_width() + 2 * key_width(); }
  at::Tensor queries(const at::Tensor& q, std::int64_t rank, std::size_t group) const {
    const auto place = rank * groups + static_cast<std::int64_t>(group);
    return q.narrow(2, place * query_width(), query_width());
  }
  at::Tensor keys(const at::Tensor& k, std::int64_t rank, std::size_t group) const {
    const auto first = rank * all.key_value / ranks * head_width;
    return k.narrow(2, first + static_cast<std::int64_t>(group) * key_width(), key_width());
  }
  // Columns of what a rank has of all three.
  std::vector<at::Tensor> parts(const at::Tensor& projected) const {
    return projected.split_with_sizes({query_width(), key_width(), key_width()}, -1);
  }
};

// x [ranks, sequences, length / ranks, width] is by rank what it gets.
Flight depart(comm::Group& context, const at::Tensor& x) {
  Flight flight{x, at::empty_like(x), {}};
  const std::vector<std::size_t> counts(static_cast<std::size_t>(context.size()),
                                        static_cast<std::size_t>(x[0].numel()));
  flight.work = context.all_to_all(buffer_of(x), counts, buffer_of(flight.to), counts);
  return flight;
}

// What has arrived, by the rank that it comes from; what has left is let go.
at::Tensor landed(Flight flight) { return flight.land(); }

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

// What a group has exchanged, the positions of sequences in their order.
at::Tensor whole_sequences(Flight flight) { return in_order(landed(std::move(flight))); }

// A group's heads of these positions, for the ranks that attend with them.
at::Tensor by_rank(const Share& share, const at::Tensor& queries, std::size_t group) {
  auto mine = at::empty({share.ranks, queries.size(0), queries.size(1), share.query_width()},
                        queries.options());
  for (std::int64_t rank = 0; rank < share.ranks; ++rank)
    mine[rank].copy_(share.queries(queries, rank, group));
  return mine;
}

at::Tensor by_rank(const Share& share, const at::Tensor& q, const at::Tensor& k,
                   const at::Tensor& v, std::size_t group) {
  auto mine = at::empty({share.ranks, q.size(0), q.size(1), share.width()}, q.options());
  for (std::int64_t rank = 0; rank < share.ranks; ++rank) {
    const auto parts = share.parts(mine[rank]);
    parts[0].copy_(share.queries(q, rank, group));
    parts[1].copy_(share.keys(k, rank, group));
    parts[2].copy_(share.keys(v, rank, group));
  }
  return mine;
}

}  // namespace

UlyssesAttention ulysses_attention(comm::Group& context, const at::Tensor& q, const at::Tensor& k,
                                   const at::Tensor& v, kernels::HeadCounts heads,
                                   const at::Tensor& first_visible) {
  const Share share(context, q, heads);
  UlyssesAttention result;
  const auto attend = [&](std::size_t, Flight arriving) {
    auto projected = whole_sequences(std::move(arriving));
    const auto parts = share.parts(projected);
    auto attended = kernels::attention(parts[0], parts[1], parts[2], share.heads, first_visible);
    result.groups.push_back({std::move(projected), attended});
    return by_rank(attended.out, share.ranks);
  };
  const auto take = [&](std::size_t group, Flight outs) {
    const auto by_rank = landed(std::move(outs));
    if (!result.out.defined()) result.out = at::empty(q.sizes(), q.options());
    for (std::int64_t rank = 0; rank < share.ranks; ++rank)
      share.queries(result.out, rank, group).copy_(by_rank[rank]);
  };
  there_and_back(
      static_cast<std::size_t>(share.groups),
      [&](std::size_t group) { return depart(context, by_rank(share, q, k, v, group)); }, [] {},
      attend, [&](std::size_t, const at::Tensor& outs) { return depart(context, outs); }, take,
      [] {});
  return result;
}

void ulysses_attention_backward(comm::Group& context, const at::Tensor& dout, at::Tensor& q,
                                at::Tensor& k, at::Tensor& v, UlyssesAttention& forward,
                                kernels::HeadCounts heads, const at::Tensor& first_visible,
                                Shade shade) {
  const Share share(context, q, heads);
  const auto sums = k.options().dtype(forward.groups.front().attended.log_sum_exp.scalar_type());
  at::Tensor dk, dv;  // several ranks may have attended to one key head
  const auto attend = [&](std::size_t group, Flight arriving) {
    auto& [projected, attended] = forward.groups[group];
    auto parts = share.parts(projected);
    kernels::attention_backward(whole_sequences(std::move(arriving)), parts[0], parts[1], parts[2],
                                attended, share.heads, first_visible);
    return by_rank(projected, share.ranks);
  };
  const auto take = [&](std::size_t group, Flight gradients) {
    const auto by_rank = landed(std::move(gradients));
    if (!dk.defined()) {
      dk = at::zeros(k.sizes(), sums);
      dv = at::zeros(v.sizes(), sums);
    }
    for (std::int64_t rank = 0; rank < share.ranks; ++rank) {
      const auto from = share.parts(by_rank[rank]);
      share.queries(q, rank, group).copy_(from[0]);
      share.keys(dk, rank, group).add_(from[1]);
      share.keys(dv, rank, group).add_(from[2]);
    }
  };
  there_and_back(
      static_cast<std::size_t>(share.groups),
      [&](std::size_t group) { return depart(context, by_rank(share, dout, group)); },
      [&] { shade.at_first(); }, attend,
      [&](std::size_t, const at::Tensor& given) { return depart(context, given); }, take,
      [&] { shade.at_last(); });
  k.copy_(dk);
  v.copy_(dv);
}

}  // namespace phalanx::parallel
