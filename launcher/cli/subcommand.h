#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "launcher/cli/printer.h"
#include "protocol/exit_code.h"

namespace phalanx::launcher {

// An option of a command, as data: what the parser fills and what help shows.
struct Option {
  using Target = std::variant<bool*, int*, std::int64_t*, std::uint64_t*, double*, std::string*,
                              std::vector<std::string>*>;

  std::string name;   // "--tokens"; "CHECKPOINT", without dashes: an argument by its place
  std::string value;  // what help calls the value, "N"; empty for a flag (bool) and an argument
  std::string text;   // what it means
  Target target;      // holds the default
  bool required = false;
  std::vector<std::string> allowed = {};  // values; empty: any
  double least = -1e300, most = 1e300;    // of a number
};

// A command of phalanx, as data.
struct Subcommand {
  std::string name;     // "ckpt ls"
  std::string group;    // the heading in the list of commands; empty: no help lists it
  std::string summary;  // one line
  std::string details;  // paragraphs of help; may be empty
  std::vector<Option> options;
  // Not null: takes the keys of a job as well, "--train.steps=10", unread.
  std::vector<std::string>* job_keys = nullptr;
  std::vector<std::string> examples;           // command lines, without "phalanx "
  std::vector<protocol::ExitCode> exit_codes;  // that are its own, besides done and configuration
  bool prints = true;                          // a result, so that it has --json
  // Returns the exit code of the process; throws what main.cc turns into one.
  std::function<int(const Printer&)> run;
};

}  // namespace phalanx::launcher
