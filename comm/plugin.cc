#include "comm/plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace phalanx::comm {
namespace {

constexpr const char* kEntry = "phalanx_backend";

SystemError unusable(const std::filesystem::path& file, const std::string& why) {
  return SystemError(
      fmt::format("{}: {}", file.string(), why),
      "install the libraries that the plug-in needs (`ldd` on it shows those that are "
      "missing), build it together with this program, or set launch.backend: native");
}

}  // namespace

std::string plugin_file(std::string_view name) { return fmt::format("libphalanx-{}.so", name); }

std::vector<std::filesystem::path> plugin_folders(const std::filesystem::path& program) {
  const std::filesystem::path beside = program.parent_path();
  return {beside, (beside / ".." / "lib").lexically_normal()};
}

std::filesystem::path find_plugin(std::string_view name,
                                  std::span<const std::filesystem::path> folders) {
  for (const auto& folder : folders)
    if (const auto file = folder / plugin_file(name); std::filesystem::exists(file)) return file;
  return {};
}

const Backend& load_plugin(const std::filesystem::path& file, std::string_view name) {
  // All its symbols now: one that is missing is an error here, not a crash in the middle of a step.
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw unusable(file, ::dlerror());
  const auto entry = reinterpret_cast<const Backend* (*)()>(::dlsym(library, kEntry));
  if (entry == nullptr)
    throw unusable(file, fmt::format("expected a plug-in, found no function {}", kEntry));
  const Backend* backend = entry();
  if (backend == nullptr || backend->name != name)
    throw unusable(file, fmt::format("expected the backend {}, found {}", name,
                                     backend == nullptr ? "none" : backend->name));
  return *backend;
}

}  // namespace phalanx::comm
