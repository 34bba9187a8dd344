#pragma once

#include "base/error.h"

namespace phalanx::launcher {

// Starting a run, or reaching one that was started, failed.
class LaunchError : public Error {
 public:
  using Error::Error;
};

// What was asked for does not fit what is there: an output in use, a run of another job.
class RefusedError : public Error {
 public:
  using Error::Error;
};

// Two things that were compared differ.
class DiffersError : public Error {
 public:
  using Error::Error;
};

}  // namespace phalanx::launcher
