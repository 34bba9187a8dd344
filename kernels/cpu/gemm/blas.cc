#include "kernels/cpu/gemm/gemm.h"

extern "C" {
void dgemm_(const char* transa, const char* transb, const int* m, const int* n, const int* k,
            const double* alpha, const double* a, const int* lda, const double* b, const int* ldb,
            const double* beta, double* c, const int* ldc);
}

namespace phalanx::kernels {

// BLAS is column-major, where our c is c^T = b^T a^T: the operands change places and keep their
// flags.
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, double alpha, Matrix<const double> a,
          Matrix<const double> b, double beta, Matrix<double> c) {
  const auto flag = [](const Matrix<const double>& x) {
    return x.transpose == Transpose::kYes ? 'T' : 'N';
  };
  const char flag_a = flag(a), flag_b = flag(b);
  const int rows = static_cast<int>(n), columns = static_cast<int>(m), inner = static_cast<int>(k);
  const int lda = static_cast<int>(a.stride), ldb = static_cast<int>(b.stride),
            ldc = static_cast<int>(c.stride);
  dgemm_(&flag_b, &flag_a, &rows, &columns, &inner, &alpha, b.data, &ldb, a.data, &lda, &beta,
         c.data, &ldc);
}

}  // namespace phalanx::kernels
