#pragma once

#include "kernels/operations/element.h"

// kernels/sigmoid_gate.h, on plain memory.
namespace phalanx::kernels {

template <class T>
struct GateForward {
  const T *x, *logits;
  T* y;
  Rows rows;
};

template <class T>
struct GateBackward {
  const T* dy;
  T *x, *logits;
  Rows rows;
};

}  // namespace phalanx::kernels
