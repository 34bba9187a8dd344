#pragma once

#include <c10/core/DeviceType.h>
#include <c10/util/BFloat16.h>

#include <cstdint>
#include <span>

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
// computes it), in one pass over spans of equal length in flat memory; `first` and `second` are the
// moments. Elements do not depend on each other: any cut of the spans gives the same bits.
// `rounded`, unless it is empty, gets the new parameters in bf16.
// All is memory of `device`.
void adamw(std::span<float> parameters, std::span<const float> gradients, std::span<float> first,
           std::span<float> second, const AdamWStep& step, std::span<c10::BFloat16> rounded = {},
           c10::DeviceType device = c10::DeviceType::CPU);
void adamw(std::span<double> parameters, std::span<const double> gradients, std::span<double> first,
           std::span<double> second, const AdamWStep& step,
           c10::DeviceType device = c10::DeviceType::CPU);

}  // namespace phalanx::kernels
