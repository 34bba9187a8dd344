#pragma once

#include "base/error.h"

namespace phalanx::layout {

// A division of the model or of the ranks that cannot be. what() names the keys of the job, what
// was expected and what was found; help() the nearest that works.
class LayoutError : public Error {
 public:
  using Error::Error;
};

}  // namespace phalanx::layout
