#pragma once

#include <memory>

#include "comm/group.h"

namespace phalanx::parallel {

// The groups that a rank's blocks communicate in; null where an axis has one rank.
struct AxisGroups {
  std::shared_ptr<comm::Group> tensor, context, expert;
};

}  // namespace phalanx::parallel
