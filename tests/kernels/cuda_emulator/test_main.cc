// The tests of the kernels once more, with the kernels of kernels/cuda in the CPU's place, on a GPU
// that is emulated (cuda_emulator/cuda_runtime.h).
#include <gtest/gtest.h>

#include "kernels/device.h"

int main(int argc, char** argv) {
  using namespace phalanx::kernels;
  testing::InitGoogleTest(&argc, argv);
  static const DeviceRow row = DeviceRow::of<Cuda>();
  register_row(c10::DeviceType::CPU, row);
  return RUN_ALL_TESTS();
}
