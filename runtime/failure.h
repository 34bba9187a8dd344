#pragma once

#include <string>

#include "protocol/exit_code.h"

namespace phalanx::runtime {

// What ends this program, for whoever started it and for a person.
struct Failure {
  protocol::ExitCode code = protocol::ExitCode::kBug;
  std::string message;
  std::string help;  // empty: nothing is known to help
};

// What the exception comes to that is being handled. To be called in a catch block only.
Failure current_failure();

}  // namespace phalanx::runtime
