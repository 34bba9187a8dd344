#pragma once

#include "kernels/operations/element.h"

// kernels/rms_norm.h, on plain memory.
namespace phalanx::kernels {

template <class T>
struct RmsNormForward {
  const T* x;
  const Wide<T>* weight;
  Wide<T> epsilon;
  T* y;
  Wide<T>* inverse_rms;
  Rows rows;
};

// `residual` null: none. dweight += the rows' gradients.
template <class T>
struct RmsNormBackward {
  T* dy;
  const T *x, *residual;
  const Wide<T>*weight, *inverse_rms;
  T* dx;
  Wide<T>* dweight;
  Rows rows;
};

}  // namespace phalanx::kernels
