#pragma once

#include <filesystem>

#include "kernels/device.h"

namespace phalanx::kernels {

// The row of a plug-in, a shared library of the same build as the program, which stays loaded until
// the process ends: what it links (CUDA, cuBLAS) costs nothing where it is not used. It exports
//   extern "C" const phalanx::kernels::DeviceRow* phalanx_kernels();
// Throws SystemError, naming the file and what is wrong with it.
const DeviceRow& load_plugin(const std::filesystem::path& file);

}  // namespace phalanx::kernels
