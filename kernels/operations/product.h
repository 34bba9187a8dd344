#pragma once

#include "kernels/operations/element.h"
#include "kernels/operations/matrix.h"

namespace phalanx::kernels {

// c [m, n] = a [m, k] b [k, n], or += it, with sums of type Wide<T>.
template <class T, class C>
struct Product {
  std::int64_t m, n, k;
  Matrix<const T> a, b;
  Into into;
  Matrix<C> c;
};

}  // namespace phalanx::kernels
