#include "protocol/exit_code.h"

namespace phalanx::protocol {

const char* meaning(ExitCode code) {
  switch (code) {
    case ExitCode::kDone:
      return "done";
    case ExitCode::kBug:
      return "a bug of phalanx";
    case ExitCode::kConfiguration:
      return "configuration: the command line or the job file";
    case ExitCode::kLayout:
      return "layout infeasible";
    case ExitCode::kPreflight:
      return "preflight: a node cannot run workers";
    case ExitCode::kRendezvous:
      return "the run's processes could not find each other";
    case ExitCode::kData:
      return "data, missing files too";
    case ExitCode::kStorage:
      return "storage: a disk or a permission failed";
    case ExitCode::kDiffers:
      return "differs from what it should be: damage";
    case ExitCode::kTrainingCode:
      return "the training code, also a rank that keeps dying at one step";
    case ExitCode::kHang:
      return "hang";
    case ExitCode::kNodesLost:
      return "nodes lost beyond repair";
    case ExitCode::kNoCheckpoint:
      return "no loadable checkpoint";
    case ExitCode::kDiverged:
      return "diverged: not a number";
    case ExitCode::kOutOfMemory:
      return "out of memory";
    case ExitCode::kPreempted:
      return "SIGTERM: state saved";
    case ExitCode::kPreemptedUnsaved:
      return "SIGTERM: state not saved";
    case ExitCode::kInterrupted:
      return "interrupted from the terminal";
  }
  return "";
}

}  // namespace phalanx::protocol
