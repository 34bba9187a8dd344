#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "comm/backend.h"

namespace phalanx::comm {

// A plug-in is a backend in a shared library of its own, so that a program that does not use it
// need not load what it links (CUDA, MPI). The library for the backend NAME is libphalanx-NAME.so,
// of the same build as the program, and exports one function, which never throws:
//   extern "C" const phalanx::comm::Backend* phalanx_backend();
std::string plugin_file(std::string_view name);

// Where a program's plug-ins are: beside it, and in ../lib.
std::vector<std::filesystem::path> plugin_folders(const std::filesystem::path& program);

// The file of the plug-in NAME in the first of `folders` that has it; empty: none has.
std::filesystem::path find_plugin(std::string_view name,
                                  std::span<const std::filesystem::path> folders);

// The backend of a plug-in, which stays loaded until the process ends. Throws SystemError, naming
// the file and what is wrong with it, when it cannot be loaded or holds another backend.
const Backend& load_plugin(const std::filesystem::path& file, std::string_view name);

}  // namespace phalanx::comm
