#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace phalanx::kernels {

// What one step of AdamW needs to know.
struct AdamWStep {
  double lr = 0;
  double beta1 = 0, beta2 = 0;
  double epsilon = 0;
  double weight_decay = 0;    // decoupled; 0 for norms
  double gradient_scale = 1;  // applied to gradients as they are read: 1 / tokens, times clipping
  std::int64_t step = 0;      // counted from 1, for bias correction
};

// Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2, as torch.optim.AdamW
// computes it), in one pass over contiguous fp32 or fp64 tensors of one length; `first` and
// `second` are the moments. Elements do not depend on each other: any cut of the tensors gives the
// same bits. `rounded`, unless it is undefined, gets the new parameters in bf16.
void adamw(const at::Tensor& parameters, const at::Tensor& gradients, const at::Tensor& first,
           const at::Tensor& second, const AdamWStep& step, const at::Tensor& rounded = {});

}  // namespace phalanx::kernels
