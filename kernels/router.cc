#include "kernels/router.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {

Routing route(const at::Tensor& logits, const at::Tensor& bias, std::int64_t chosen,
              ExpertWeights kind) {
  const std::int64_t tokens = logits.size(0), count = logits.size(1);
  check(logits.is_contiguous() && bias.numel() == count && 0 < chosen && chosen <= count,
        "router: expected logits [tokens, experts], a bias for each, and enough experts");
  Routing routing{at::empty_like(logits),
                  at::empty({tokens, chosen}, logits.options().dtype(at::kLong)),
                  at::empty({tokens, chosen}, logits.options())};
  for_element_type(logits, [&]<class T>(T) {
    perform_on(logits.device().type(),
               Route<T>{logits.const_data_ptr<T>(), bias.const_data_ptr<T>(),
                        routing.probabilities.mutable_data_ptr<T>(),
                        routing.experts.mutable_data_ptr<std::int64_t>(),
                        routing.weights.mutable_data_ptr<T>(), tokens, count, chosen, kind});
  });
  return routing;
}

at::Tensor route_backward(const at::Tensor& dweights, const at::Tensor& dprobabilities,
                          const Routing& routing, ExpertWeights kind) {
  check(dweights.is_contiguous() && dweights.sizes() == routing.weights.sizes(),
        "router: dweights must have the shape of the weights");
  auto dlogits = at::zeros_like(routing.probabilities);
  for_element_type(dweights, [&]<class T>(T) {
    perform_on(
        dweights.device().type(),
        RouteBackward<T>{
            dweights.const_data_ptr<T>(),
            dprobabilities.defined() ? dprobabilities.const_data_ptr<T>() : nullptr,
            routing.probabilities.const_data_ptr<T>(), routing.weights.const_data_ptr<T>(),
            routing.experts.const_data_ptr<std::int64_t>(), dlogits.template mutable_data_ptr<T>(),
            dlogits.size(0), dlogits.size(1), routing.experts.size(1), kind});
  });
  return dlogits;
}

}  // namespace phalanx::kernels
