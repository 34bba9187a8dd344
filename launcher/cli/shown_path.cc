#include "launcher/cli/shown_path.h"

namespace phalanx::launcher {

std::string shown(const std::filesystem::path& path) {
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  const auto relative = error ? path : path.lexically_proximate(here);
  return relative.empty() || *relative.begin() == ".." ? path.string() : relative.string();
}

}  // namespace phalanx::launcher
