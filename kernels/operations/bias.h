#pragma once

#include "kernels/operations/element.h"

// kernels/bias.h, on plain memory.
namespace phalanx::kernels {

template <class T>
struct BiasForward {
  T* y;
  const Wide<T>* bias;
  Rows rows;
};

template <class T>
struct BiasBackward {
  const T* dy;
  Wide<T>* dbias;
  Rows rows;
};

}  // namespace phalanx::kernels
