#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

#include "kernels/operations/matrix.h"

namespace phalanx::kernels {

class PackedMatrix;
struct MicroKernel;

// c [m, n] = alpha * a [m, k] * b [k, n] + beta * c; with beta 0, c need not be initialised.
//
// In fp32 where a and b are, else with both rounded to bf16 (where the processor multiplies that;
// else in fp32) and summed in fp32. A, B and C: float or BFloat16. An element's sum has an order
// that k alone decides: products of any part of the rows or columns give the same bits. Runs in the
// calling thread.
template <class A, class B, class C>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Matrix<const A> a,
          Matrix<const B> b, float beta, Matrix<C> c);

// The same with b packed beforehand, and the same bits.
template <class A, class C>
void gemm(std::int64_t m, float alpha, Matrix<const A> a, const PackedMatrix& b, float beta,
          Matrix<C> c);

// The same with a chosen micro-kernel.
template <class A, class B, class C>
void gemm_with(const MicroKernel& kernel, std::int64_t m, std::int64_t n, std::int64_t k,
               float alpha, Matrix<const A> a, Matrix<const B> b, float beta, Matrix<C> c);

// In fp64, by the BLAS that LibTorch carries: for proofs.
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, double alpha, Matrix<const double> a,
          Matrix<const double> b, double beta, Matrix<double> c);

}  // namespace phalanx::kernels
