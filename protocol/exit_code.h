#pragma once

namespace phalanx::protocol {

// What the process `phalanx` ends with. Scripts and schedulers depend on these numbers.
enum class ExitCode : int {
  kDone = 0,
  kBug = 1,
  kConfiguration = 2,
  kLayout = 3,
  kPreflight = 4,
  kRendezvous = 5,
  kData = 6,
  kStorage = 7,
  kDiffers = 8,
  kTrainingCode = 10,
  kHang = 11,
  kNodesLost = 12,
  kNoCheckpoint = 13,
  kDiverged = 14,
  kOutOfMemory = 15,
  kPreempted = 75,         // SIGTERM or preemption, state saved
  kPreemptedUnsaved = 76,  // the same, but saving failed
  kInterrupted = 130,      // Ctrl-C
};

// A few words for people.
const char* meaning(ExitCode code);

}  // namespace phalanx::protocol
