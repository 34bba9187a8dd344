#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace phalanx::node {

// The last 20 lines, 4 KiB at most, of what a log holds from byte `from` on; empty when it cannot
// be read.
std::string last_lines(const std::filesystem::path& log, std::uint64_t from = 0);

// Adds a line to a log that others write as well. A full disk costs the line, nothing else.
void add_line(const std::filesystem::path& log, std::string_view line);

}  // namespace phalanx::node
