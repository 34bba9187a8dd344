#include "parallel/ring_attention.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <functional>
#include <utility>

#include "layout/zigzag.h"
#include "parallel/tensor_buffer.h"

namespace phalanx::parallel {
namespace {

using layout::Piece;
using layout::PiecePair;

// A tensor on its way to the next rank while another comes from the one before.
class Hop {
 public:
  void start(comm::Group& ring, at::Tensor leaving, at::Tensor arriving) {
    leaving_ = std::move(leaving);
    arriving_ = std::move(arriving);
    const int rank = ring.rank(), size = ring.size();
    receive_ = ring.receive(buffer_of(arriving_), (rank + size - 1) % size);
    send_ = ring.send(buffer_of(leaving_), (rank + 1) % size);
  }
  bool under_way() const { return arriving_.defined(); }
  // What has arrived; `left` gets the memory of what has left.
  at::Tensor finish(at::Tensor& left) {
    receive_.wait(comm::DeviceStream{});
    send_.wait(comm::DeviceStream{});
    left = std::exchange(leaving_, {});
    return std::exchange(arriving_, {});
  }

 private:
  at::Tensor leaving_, arriving_;
  comm::Work send_, receive_;
};

// The keys and values of one rank after the other, from this rank's on back, [2, sequences, length,
// width]; the next are on their way.
class KeyValueRing {
 public:
  KeyValueRing(comm::Group& ring, const at::Tensor& k, const at::Tensor& v)
      : ring_(ring), here_(at::stack({k, v})), free_(at::empty_like(here_)) {
    start_next();
  }
  int owner() const { return (ring_.rank() + ring_.size() - step_) % ring_.size(); }
  at::Tensor keys() const { return here_[0]; }
  at::Tensor values() const { return here_[1]; }
  bool advance() {
    if (++step_ == ring_.size()) return false;
    here_ = hop_.finish(free_);
    start_next();
    return true;
  }

 private:
  void start_next() {
    if (step_ + 1 < ring_.size()) hop_.start(ring_, here_, free_);
  }

  comm::Group& ring_;
  int step_ = 0;
  at::Tensor here_, free_;
  Hop hop_;
};

// The gradients of keys and values, one step behind these.
class GradientRing {
 public:
  explicit GradientRing(comm::Group& ring) : ring_(ring) {}
  // `part` of those that the rank before has passed on: takes them in and passes them on.
  void pass_on(at::Tensor part) {
    if (hop_.under_way()) take_in(part);
    hop_.start(ring_, part, at::empty_like(part));
  }
  // This rank's own have come home: adds them to `own`.
  void come_home(at::Tensor& own) {
    if (hop_.under_way()) take_in(own);
  }

 private:
  void take_in(at::Tensor& part) {
    at::Tensor left;
    part.add_(hop_.finish(left));
  }

  comm::Group& ring_;
  Hop hop_;
};

// This rank's queries, against whichever keys are here.
class Queries {
 public:
  Queries(comm::Group& context, const at::Tensor& q, kernels::HeadCounts heads,
          const at::Tensor& first_visible)
      : rank_(context.rank()),
        ranks_(context.size()),
        piece_(q.size(1) / 2),
        q_(q),
        heads_(heads),
        first_visible_(first_visible) {
    check(q.dim() == 3 && q.size(1) % 2 == 0,
          "ring attention: expected two pieces of equal length");
  }

  void attend(const KeyValueRing& ring, kernels::Attention& so_far) const {
    for (const auto& pair : layout::visible_pairs(rank_, ring.owner())) {
      kernels::Attention part = of(so_far, pair.query);
      kernels::add_attention(rows(q_, pair.query), rows(ring.keys(), pair.key),
                             rows(ring.values(), pair.key), heads_, positions(pair, ring.owner()),
                             part, visible(pair.query));
    }
  }

  // Adds what `pair` of pieces, the keys being `owner`'s, has to do with the gradients.
  void attend_backward(PiecePair pair, int owner, const at::Tensor& dout, const at::Tensor& keys,
                       const at::Tensor& values, const kernels::Attention& forward,
                       at::Tensor& dquery, const at::Tensor& dkey_value) const {
    kernels::AttentionGradients gradients{rows(dquery, pair.query), rows(dkey_value[0], pair.key),
                                          rows(dkey_value[1], pair.key)};
    kernels::add_attention_backward(
        rows(dout, pair.query), rows(q_, pair.query), rows(keys, pair.key), rows(values, pair.key),
        of(forward, pair.query), heads_, positions(pair, owner), gradients, visible(pair.query));
  }

 private:
  at::Tensor rows(const at::Tensor& x, Piece piece, std::int64_t dimension = 1) const {
    return x.narrow(dimension, static_cast<std::int64_t>(piece) * piece_, piece_);
  }
  at::Tensor visible(Piece piece) const {
    if (!first_visible_.defined()) return {};
    return first_visible_.narrow(1, run(rank_, piece).first, piece_);
  }
  kernels::Attention of(const kernels::Attention& all, Piece piece) const {
    return {rows(all.out, piece), rows(all.log_sum_exp, piece, 2)};
  }
  kernels::FirstPositions positions(PiecePair pair, int owner) const {
    return {run(rank_, pair.query).first, run(owner, pair.key).first};
  }
  layout::PositionRange run(int rank, Piece piece) const {
    return layout::zigzag_pieces(2 * ranks_ * piece_, ranks_,
                                 rank)[static_cast<std::size_t>(piece)];
  }

  int rank_, ranks_;
  std::int64_t piece_;
  const at::Tensor& q_;
  kernels::HeadCounts heads_;
  const at::Tensor& first_visible_;
};

}  // namespace

kernels::Attention ring_attention(comm::Group& context, const at::Tensor& q, const at::Tensor& k,
                                  const at::Tensor& v, kernels::HeadCounts heads,
                                  const at::Tensor& first_visible) {
  const Queries queries(context, q, heads, first_visible);
  KeyValueRing ring(context, k, v);
  auto result = kernels::no_attention(q, heads);
  do queries.attend(ring, result);
  while (ring.advance());
  result.out = result.out.to(q.scalar_type());
  return result;
}

void ring_attention_backward(comm::Group& context, const at::Tensor& dout, at::Tensor& q,
                             at::Tensor& k, at::Tensor& v, const kernels::Attention& forward,
                             kernels::HeadCounts heads, const at::Tensor& first_visible,
                             Shade shade) {
  const Queries queries(context, q, heads, first_visible);
  const int rank = context.rank();
  KeyValueRing ring(context, k, v);
  GradientRing gradients(context);
  const auto sums = forward.log_sum_exp.scalar_type();
  auto dquery = at::zeros_like(q, q.options().dtype(sums), at::MemoryFormat::Contiguous);
  auto own = at::zeros({2, k.size(0), k.size(1), k.size(2)}, q.options().dtype(sums));
  // Of the pairs of its own pieces a rank computes those of different pieces first and the
  // triangles last, so that the first hop has something to hide behind, and the last one too.
  const auto attend = [&](const at::Tensor& keys, const at::Tensor& values, int owner,
                          const at::Tensor& dkey_value, auto chosen) {
    for (const auto& pair : layout::visible_pairs(rank, owner))
      if (chosen(pair))
        queries.attend_backward(pair, owner, dout, keys, values, forward, dquery, dkey_value);
  };
  const auto triangle = [](PiecePair pair) { return pair.query == pair.key; };
  shade.at_first();
  attend(k, v, rank, own, std::not_fn(triangle));
  while (ring.advance()) {
    auto part = at::zeros_like(own);
    attend(ring.keys(), ring.values(), ring.owner(), part, [](PiecePair) { return true; });
    gradients.pass_on(part);
  }
  attend(k, v, rank, own, triangle);
  shade.at_last();
  gradients.come_home(own);
  q.copy_(dquery);
  k.copy_(own[0]);
  v.copy_(own[1]);
}

}  // namespace phalanx::parallel
