#include "kernels/plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "base/error.h"

namespace phalanx::kernels {

const DeviceRow& load_plugin(const std::filesystem::path& file) {
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    throw SystemError(fmt::format("kernels: {}: {}", file.string(), dlerror()),
                      "plug-ins belong to the program's build, beside it or in ../lib");
  auto* row = reinterpret_cast<const DeviceRow* (*)()>(dlsym(library, "phalanx_kernels"));
  if (row == nullptr)
    throw SystemError(fmt::format("kernels: {}: expected a plug-in with kernels, found no "
                                  "phalanx_kernels()",
                                  file.string()),
                      "name libphalanx-cuda.so");
  return *row();
}

}  // namespace phalanx::kernels
