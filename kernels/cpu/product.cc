#include "kernels/cpu/gemm/gemm.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

template <class T, class C>
void multiply(const Product<T, C>& a) {
  gemm(a.m, a.n, a.k, Wide<T>(1), a.a, a.b, a.into == Into::kSum ? Wide<T>(1) : Wide<T>(0), a.c);
}

}  // namespace

template <>
void perform<Cpu>(const Product<float, float>& a) {
  multiply(a);
}
template <>
void perform<Cpu>(const Product<double, double>& a) {
  multiply(a);
}
template <>
void perform<Cpu>(const Product<Bf16, Bf16>& a) {
  multiply(a);
}
template <>
void perform<Cpu>(const Product<Bf16, float>& a) {
  multiply(a);
}

}  // namespace phalanx::kernels
