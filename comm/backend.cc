#include "comm/backend.h"

#include <fmt/format.h>

#include <array>

#include "comm/native/communicator.h"
#include "comm/plugin.h"

namespace phalanx::comm {
namespace {

class NativeEndpoint : public Endpoint {
 public:
  explicit NativeEndpoint(const std::string& host) : listener_(host) {}
  const std::string& host() const override { return listener_.host(); }
  std::uint16_t port() const override { return listener_.port(); }
  std::unique_ptr<Communicator> join(Membership membership) override {
    return make_native_communicator(std::move(membership), listener_);
  }

 private:
  Listener listener_;
};

std::unique_ptr<Endpoint> open_native(const std::string& host) {
  return std::make_unique<NativeEndpoint>(host);
}

constexpr std::array kCpu{Device::kCpu};

constexpr std::array kBackends{
    Backend{"native", "shared memory in a node, TCP between nodes", kCpu, kAllTypes, kAllOperations,
            Backend::Reforming::kInProcess, Backend::Sums::kTree, true, Backend::Start::kAlone,
            open_native},
};

}  // namespace

const char* device_name(Device device) { return device == Device::kCpu ? "cpu" : "cuda"; }

std::span<const Backend> backends() { return kBackends; }

const Backend& find_backend(std::string_view name, std::span<const std::filesystem::path> folders) {
  for (const Backend& backend : kBackends)
    if (backend.name == name) return backend;
  if (const auto file = find_plugin(name, folders); !file.empty()) return load_plugin(file, name);
  std::string tried;
  for (const auto& folder : folders)
    tried += fmt::format(" {}", (folder / plugin_file(name)).string());
  throw SystemError(
      fmt::format("backend {}: not built in, and no plug-in:{}", name,
                  tried.empty() ? " nowhere to look" : tried),
      "configure with what it needs (`cmake` says what it has found) and build it, or "
      "set launch.backend: native");
}

}  // namespace phalanx::comm
