#include "launcher/cli/printer.h"

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace phalanx::launcher {

void write_output(std::string_view text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written && errno != EPIPE) throw storage_error("standard output: write");
}

void Printer::print(const nlohmann::ordered_json& json, const std::string& text) const {
  // Text of the data, of prompts and of paths may be any bytes.
  std::string shown =
      as_json_ ? json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) : text;
  if (!shown.ends_with('\n')) shown += '\n';
  write_output(shown);
}

}  // namespace phalanx::launcher
