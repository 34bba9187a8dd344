#pragma once

#include <string>

#include "comm/group.h"

namespace phalanx::comm {

// Why a generation is over: the first cause, which every rank reports. Thrown inside tasks; what
// callers see is the CommError made of it.
struct Ending {
  CommError::Kind kind;
  int peer;            // rank in the generation, -1: nobody known
  std::string detail;  // for people
};

}  // namespace phalanx::comm
