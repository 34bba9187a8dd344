#include "kernels/adamw.h"

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {

void adamw(const at::Tensor& parameters, const at::Tensor& gradients, const at::Tensor& first,
           const at::Tensor& second, const AdamWStep& step, const at::Tensor& rounded) {
  for (const auto* tensor : {&gradients, &first, &second})
    check(parameters.is_contiguous() && tensor->is_contiguous() &&
              tensor->numel() == parameters.numel() &&
              tensor->scalar_type() == parameters.scalar_type(),
          "adamw: expected contiguous tensors of one type and length");
  check(!rounded.defined() || (rounded.is_contiguous() && rounded.numel() == parameters.numel()),
        "adamw: expected as many rounded parameters");
  check(step.step >= 1, "adamw: steps are counted from 1");
  for_element_type(parameters, [&]<class T>(T) {
    perform_on(parameters.device().type(),
               AdamWUpdate<T>{parameters.mutable_data_ptr<T>(), gradients.const_data_ptr<T>(),
                              first.mutable_data_ptr<T>(), second.mutable_data_ptr<T>(),
                              parameters.numel(),
                              rounded.defined() ? rounded.mutable_data_ptr<Bf16>() : nullptr,
                              AdamWFactors<T>(step)});
  });
}

}  // namespace phalanx::kernels
