#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::parallel {

// Which positions the queries of the micro-batch under way see: `first_visible` of
// kernels/attention.h for whole sequences, also where context ranks divide them; undefined: all
// that are before. Whoever runs blocks writes it before each of their passes (ScheduleExecutor),
// the attention of every layer reads it: so nothing of it goes through the blocks between, and no
// layer keeps it.
struct DocumentMask {
  at::Tensor first_visible;
};

}  // namespace phalanx::parallel
