#pragma once

#include "kernels/operations/element.h"

// kernels/swiglu.h, on plain memory; `rows` are those of y and dy.
namespace phalanx::kernels {

template <class T>
struct SwigluForward {
  const T* gate_up;
  T* y;
  Rows rows;
};

template <class T>
struct SwigluBackward {
  T *dy, *gate_up;
  Rows rows;
};

}  // namespace phalanx::kernels
