#pragma once

#include "kernels/operations/element.h"

// kernels/layer_norm.h, on plain memory.
namespace phalanx::kernels {

template <class T>
struct LayerNormForward {
  const T* x;
  const Wide<T>*weight, *bias;
  Wide<T> epsilon;
  T* y;
  Wide<T>*mean, *inverse_deviation;
  Rows rows;
};

// `residual` null: none. dweight and dbias += the rows' gradients.
template <class T>
struct LayerNormBackward {
  T* dy;
  const T *x, *residual;
  const Wide<T>*weight, *bias, *mean, *inverse_deviation;
  T* dx;
  Wide<T>*dweight, *dbias;
  Rows rows;
};

}  // namespace phalanx::kernels
