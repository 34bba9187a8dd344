#pragma once

#include "base/error.h"

namespace phalanx::launcher {

// Starting a run, or reaching one that was started, failed.
class LaunchError : public Error {
 public:
  using Error::Error;
};

}  // namespace phalanx::launcher
