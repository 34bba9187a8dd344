#pragma once

#include <string>
#include <vector>

#include "launcher/cli/printer.h"

namespace phalanx::launcher {

struct RunOptions {
  std::string job;                     // a path
  std::vector<std::string> overrides;  // "--train.steps=10"
  std::string resume = "auto";
  bool dry_run = false;
  bool print_config = false;
};

// `phalanx run`: from the job file to the last step. With --json the result is summary.json, or
// what --dry-run and --print-config say. Returns the process's exit code (protocol/exit_code.h);
// throws what keeps the run from starting.
int run(const RunOptions& options, const Printer& printer);

}  // namespace phalanx::launcher
