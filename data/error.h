#pragma once

#include "base/error.h"

namespace phalanx::data {

// Data cannot be used: missing, damaged, foreign, or not what the job needs. Names the file (and
// line or token), what was expected and what was found.
class DataError : public Error {
 public:
  using Error::Error;
};

}  // namespace phalanx::data
