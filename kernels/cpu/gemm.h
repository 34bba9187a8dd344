#pragma once

#include <cstdint>

namespace phalanx::kernels {

enum class Transpose { kNo, kYes };

// A row-major matrix, or its transpose, in someone else's memory; `stride` is the distance of its
// rows in elements.
template <class T>
struct Matrix {
  T* data;
  std::int64_t stride;
  Transpose transpose = Transpose::kNo;
};

// c [m, n] = alpha * a [m, k] * b [k, n] + beta * c, by the BLAS that LibTorch carries. Repeatable
// bit for bit with the same number of threads and operands aligned alike. With beta 0, c need not
// be initialised.
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Matrix<const float> a,
          Matrix<const float> b, float beta, Matrix<float> c);
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, double alpha, Matrix<const double> a,
          Matrix<const double> b, double beta, Matrix<double> c);

}  // namespace phalanx::kernels
