#pragma once

#include <filesystem>
#include <string>

namespace phalanx::launcher {

// The path as a person here would type it: relative where it is below the working folder.
std::string shown(const std::filesystem::path& path);

}  // namespace phalanx::launcher
