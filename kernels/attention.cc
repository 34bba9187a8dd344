#include "kernels/attention.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {
namespace {

// Whether x is [sequences, length, width] with rows in one piece.
bool has_rows(const at::Tensor& x) { return x.dim() == 3 && x.stride(2) == 1; }

AttentionSizes attention_sizes(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               HeadCounts heads, FirstPositions first,
                               const at::Tensor& first_visible) {
  check(has_rows(q) && has_rows(k) && has_rows(v) && heads.query % heads.key_value == 0 &&
            q.size(2) % heads.query == 0 && k.sizes() == v.sizes() && k.size(0) == q.size(0) &&
            k.size(2) * heads.query == q.size(2) * heads.key_value,
        "attention: expected q [sequences, length, query heads * head_width], k and v with key "
        "heads");
  check(!first_visible.defined() ||
            (first_visible.scalar_type() == at::kLong && first_visible.dim() == 2 &&
             first_visible.stride(1) == 1 && first_visible.size(0) == q.size(0) &&
             first_visible.size(1) == q.size(1)),
        "attention: expected first_visible int64 [sequences, length]");
  AttentionSizes sizes{q.size(0), q.size(1),   k.size(1), heads.query, heads.key_value,
                       0,         first.query, first.key, nullptr,     0};
  sizes.head_width = q.size(2) / heads.query;
  if (first_visible.defined()) {
    sizes.first_visible = first_visible.const_data_ptr<std::int64_t>();
    sizes.first_visible_stride = first_visible.stride(0);
  }
  return sizes;
}

template <class T>
HeadVectors<const T> read(const at::Tensor& x) {
  return {x.const_data_ptr<T>(), x.stride(0), x.stride(1)};
}
template <class T>
HeadVectors<T> write(const at::Tensor& x) {
  return {x.mutable_data_ptr<T>(), x.stride(0), x.stride(1)};
}

// The type of a result of elements of type T.
template <class T, Into kInto>
using Result = std::conditional_t<kInto == Into::kSum, Wide<T>, T>;

template <Into kInto>
void attend(const AttentionSizes& sizes, const at::Tensor& q, const at::Tensor& k,
            const at::Tensor& v, const Attention& to) {
  for_activation_type(q, [&]<class T>(T) {
    using Out = Result<T, kInto>;
    const at::Tensor& scalars = to.log_sum_exp;
    perform_on(q.device().type(), AttentionForward<T, Out>{read<T>(q),
                                                           read<T>(k),
                                                           read<T>(v),
                                                           write<Out>(to.out),
                                                           {scalars.mutable_data_ptr<Wide<T>>(),
                                                            scalars.stride(0), scalars.stride(1)},
                                                           sizes,
                                                           kInto});
  });
}

template <Into kInto>
void attend_backward(const AttentionSizes& sizes, const at::Tensor& dout, const at::Tensor& q,
                     const at::Tensor& k, const at::Tensor& v, const Attention& forward,
                     const AttentionGradients& to) {
  check(has_rows(dout) && dout.sizes() == q.sizes(), "attention: dout must be shaped as q");
  for_activation_type(q, [&]<class T>(T) {
    using Gradient = Result<T, kInto>;
    const at::Tensor& scalars = forward.log_sum_exp;
    perform_on(q.device().type(),
               AttentionBackward<T, Gradient>{
                   read<T>(dout),
                   read<T>(q),
                   read<T>(k),
                   read<T>(v),
                   read<T>(forward.out),
                   {scalars.const_data_ptr<Wide<T>>(), scalars.stride(0), scalars.stride(1)},
                   write<Gradient>(to.query),
                   write<Gradient>(to.key),
                   write<Gradient>(to.value),
                   sizes,
                   kInto});
  });
}

}  // namespace

Attention attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, HeadCounts heads,
                    const at::Tensor& first_visible) {
  const auto sizes = attention_sizes(q, k, v, heads, {}, first_visible);
  check(sizes.queries == sizes.keys, "attention: expected as many keys as queries");
  Attention result{at::empty(q.sizes(), q.options()),
                   at::empty({sizes.sequences, heads.query, sizes.queries},
                             q.options().dtype(wide_type(q.scalar_type())))};
  attend<Into::kNew>(sizes, q, k, v, result);
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
  attend<Into::kSum>(attention_sizes(q, k, v, heads, first, first_visible), q, k, v, so_far);
}

void attention_backward(const at::Tensor& dout, at::Tensor& q, at::Tensor& k, at::Tensor& v,
                        const Attention& forward, HeadCounts heads,
                        const at::Tensor& first_visible) {
  attend_backward<Into::kNew>(attention_sizes(q, k, v, heads, {}, first_visible), dout, q, k, v,
                              forward, {q, k, v});
}

void add_attention_backward(const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const Attention& forward, HeadCounts heads,
                            FirstPositions first, AttentionGradients& gradients,
                            const at::Tensor& first_visible) {
  attend_backward<Into::kSum>(attention_sizes(q, k, v, heads, first, first_visible), dout, q, k, v,
                              forward, gradients);
}

}  // namespace phalanx::kernels
