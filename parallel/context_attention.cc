#include "parallel/context_attention.h"

#include "parallel/ring_attention.h"
#include "parallel/ulysses_attention.h"

namespace phalanx::parallel {

at::Tensor ContextAttention::forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                     Saved& saved) const {
  if (groups_.context && groups_.exchange == ContextExchange::kHeads) {
    auto attended = ulysses_attention(*groups_.context, q, k, v, heads_, first_visible());
    for (const auto& [projected, of] : attended.groups)
      for (const auto& tensor : {projected, of.out, of.log_sum_exp}) saved.push_back(tensor);
    return attended.out;
  }
  auto attended = groups_.context
                      ? ring_attention(*groups_.context, q, k, v, heads_, first_visible())
                      : kernels::attention(q, k, v, heads_, first_visible());
  saved.push_back(attended.log_sum_exp);
  return attended.out;
}

void ContextAttention::backward(const at::Tensor& dout, at::Tensor& q, at::Tensor& k, at::Tensor& v,
                                const at::Tensor& out, Saved& saved, std::size_t first,
                                Shade shade) const {
  if (groups_.context && groups_.exchange == ContextExchange::kHeads) {
    UlyssesAttention forward{out, {}};
    for (auto kept = first; kept < saved.size(); kept += 3)
      forward.groups.push_back({saved[kept], {saved[kept + 1], saved[kept + 2]}});
    ulysses_attention_backward(*groups_.context, dout, q, k, v, forward, heads_, first_visible(),
                               shade);
  } else if (groups_.context) {
    ring_attention_backward(*groups_.context, dout, q, k, v, {out, saved[first]}, heads_,
                            first_visible(), shade);
  } else {
    kernels::attention_backward(dout, q, k, v, {out, saved[first]}, heads_, first_visible());
  }
}

}  // namespace phalanx::parallel
