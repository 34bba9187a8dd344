#include "kernels/device.h"

// Where a GPU has cuBLAS, which is not ours to prove, the emulator has the CPU's products.
namespace phalanx::kernels {

template <>
void perform<Cuda>(const Product<float, float>& a) {
  perform<Cpu>(a);
}
template <>
void perform<Cuda>(const Product<double, double>& a) {
  perform<Cpu>(a);
}
template <>
void perform<Cuda>(const Product<Bf16, Bf16>& a) {
  perform<Cpu>(a);
}
template <>
void perform<Cuda>(const Product<Bf16, float>& a) {
  perform<Cpu>(a);
}

}  // namespace phalanx::kernels
