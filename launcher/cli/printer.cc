#include "launcher/cli/printer.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace phalanx::launcher {

void Printer::print(const nlohmann::ordered_json& json, const std::string& text) const {
  // Text of the data, of prompts and of paths may be any bytes.
  std::string shown =
      as_json_ ? json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) : text;
  if (!shown.ends_with('\n')) shown += '\n';
  std::fwrite(shown.data(), 1, shown.size(), stdout);
  std::fflush(stdout);
}

}  // namespace phalanx::launcher
