#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launcher/cli/command_line.h"
#include "launcher/cli/commands.h"

namespace phalanx::launcher {

// What `phalanx ARGUMENTS...` prints on stdout; throws what it throws.
inline std::string output_of(const std::vector<std::string>& arguments) {
  testing::internal::CaptureStdout();
  try {
    run_command_line(all_commands(), arguments);
  } catch (...) {
    testing::internal::GetCapturedStdout();
    throw;
  }
  return testing::internal::GetCapturedStdout();
}

inline nlohmann::json json_of(std::vector<std::string> arguments) {
  arguments.push_back("--json");
  return nlohmann::json::parse(output_of(arguments));
}

// "what() | help()" of the E that it throws; empty when it throws none.
template <class E>
std::string error_of(const std::vector<std::string>& arguments) {
  try {
    output_of(arguments);
  } catch (const E& error) {
    return std::string(error.what()) + " | " + error.help();
  }
  return {};
}

}  // namespace phalanx::launcher
