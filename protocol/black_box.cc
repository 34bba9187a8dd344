#include "protocol/black_box.h"

#include "base/check.h"

namespace phalanx::protocol {

const char* phase_name(Phase phase) {
  switch (phase) {
    case Phase::kStarting:
      return "starting";
    case Phase::kWaitingForRoster:
      return "waiting for a roster";
    case Phase::kConnecting:
      return "connecting";
    case Phase::kRestoring:
      return "restoring state";
    case Phase::kData:
      return "data";
    case Phase::kForward:
      return "forward";
    case Phase::kBackward:
      return "backward";
    case Phase::kCommit:
      return "commit";
    case Phase::kOptimizer:
      return "optimizer";
    case Phase::kValidation:
      return "validation";
    case Phase::kSaving:
      return "saving";
    case Phase::kMeasuring:
      return "measuring the processor";
    case Phase::kLeaving:
      return "leaving";
  }
  return "unknown";
}

BlackBox& black_box_in(std::span<std::byte> mapping) {
  check(mapping.size() >= kBlackBoxBytes, "a black box needs a page");
  return *reinterpret_cast<BlackBox*>(mapping.data());
}

}  // namespace phalanx::protocol
