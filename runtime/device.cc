#include "runtime/device.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include "base/process.h"
#include "comm/plugin.h"
#include "kernels/plugin.h"

namespace phalanx::runtime {
namespace {

constexpr const char* kInstall =
    "install what CUDA needs (`scripts/setup.sh --cuda`), or set launch.device: cpu and "
    "launch.backend: native";

// Registers CUDA with Torch's dispatcher, allocators and guards, in this process for good.
void load_torch_for_cuda() {
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr)
    throw DeviceError(fmt::format("launch.device: cuda: {}", dlerror()), kInstall);
}

void load_kernels() {
  const auto file = comm::find_plugin("cuda", comm::plugin_folders(self_program()));
  if (file.empty())
    throw DeviceError(
        fmt::format("launch.device: cuda: expected {} beside {} or in ../lib, found none",
                    comm::plugin_file("cuda"), self_program()),
        "configure where nvcc and cuBLAS are (`scripts/setup.sh --cuda`) and build again");
  kernels::register_row(c10::DeviceType::CUDA, kernels::load_plugin(file));
}

}  // namespace

at::Device open_device(const std::string& name, int slot) {
  if (name == "cpu") return at::kCPU;
  load_torch_for_cuda();
  const c10::impl::VirtualGuardImpl cuda(c10::DeviceType::CUDA);
  const int devices = cuda.deviceCount();
  if (devices == 0)
    throw DeviceError(
        "launch.device: cuda: expected a GPU on this node, found none",
        "see that `nvidia-smi` shows one and that CUDA_VISIBLE_DEVICES hides none, or "
        "set launch.device: cpu and launch.backend: native");
  load_kernels();
  const at::Device device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(slot % devices));
  cuda.setDevice(device);
  return device;
}

}  // namespace phalanx::runtime
