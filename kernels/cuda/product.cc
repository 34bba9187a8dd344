#include <cublas_v2.h>
#include <fmt/format.h>

#include "base/error.h"
#include "kernels/device.h"

// Products by cuBLAS, which repeats its bits as long as its calls are on one stream. It thinks in
// columns: the rows of c are the columns of b^T a^T.
namespace phalanx::kernels {
namespace {

void check_cublas(cublasStatus_t result, const char* call) {
  if (result == CUBLAS_STATUS_SUCCESS) return;
  throw SystemError(fmt::format("cuBLAS: {}: {}", call, cublasGetStatusString(result)),
                    "see `nvidia-smi` for the device's state, memory and driver");
}

// The calling thread's, on the default stream; it lives as long as the process.
cublasHandle_t handle() {
  thread_local cublasHandle_t handle = [] {
    cublasHandle_t made = nullptr;
    check_cublas(cublasCreate(&made), "cublasCreate");
    return made;
  }();
  return handle;
}

template <class T>
constexpr cudaDataType_t kType = CUDA_R_16BF;
template <>
constexpr cudaDataType_t kType<float> = CUDA_R_32F;
template <>
constexpr cudaDataType_t kType<double> = CUDA_R_64F;

template <class T>
cublasOperation_t operation(const Matrix<T>& matrix) {
  return matrix.transpose == Transpose::kYes ? CUBLAS_OP_T : CUBLAS_OP_N;
}

template <class T, class C>
void multiply(const Product<T, C>& p) {
  if (p.m == 0 || p.n == 0) return;
  constexpr auto kSums =
      std::is_same_v<T, double> ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F;  // no TF32
  const Wide<T> one = 1, beta = p.into == Into::kSum ? Wide<T>(1) : Wide<T>(0);
  check_cublas(cublasGemmEx_64(handle(), operation(p.b), operation(p.a), p.n, p.m, p.k, &one,
                               p.b.data, kType<T>, p.b.stride, p.a.data, kType<T>, p.a.stride,
                               &beta, p.c.data, kType<C>, p.c.stride, kSums, CUBLAS_GEMM_DEFAULT),
               "cublasGemmEx");
}

}  // namespace

template <>
void perform<Cuda>(const Product<float, float>& p) {
  multiply(p);
}
template <>
void perform<Cuda>(const Product<double, double>& p) {
  multiply(p);
}
template <>
void perform<Cuda>(const Product<Bf16, Bf16>& p) {
  multiply(p);
}
template <>
void perform<Cuda>(const Product<Bf16, float>& p) {
  multiply(p);
}

}  // namespace phalanx::kernels
