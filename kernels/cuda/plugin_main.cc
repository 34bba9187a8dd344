// The plug-in libphalanx-cuda.so: CUDA's row.
#include "kernels/device.h"

extern "C" const phalanx::kernels::DeviceRow* phalanx_kernels() {
  using namespace phalanx::kernels;
  static const DeviceRow row = DeviceRow::of<Cuda>();
  return &row;
}
