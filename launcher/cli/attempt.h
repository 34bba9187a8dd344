#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/job.h"
#include "protocol/messages.pb.h"

namespace phalanx::launcher {

// One `phalanx run` on an output: its number, and what it goes on from.
struct Attempt {
  int number = 1;
  std::string checkpoint;  // directory; empty: from the beginning
  std::int64_t step = 0;   // complete steps of that checkpoint
  bool finished = false;   // the output holds the last step already: there is nothing to do
  bool chosen = false;     // the user has named the checkpoint
  // Checkpoints that are newer, and why they are not taken: never completed, or damaged.
  std::vector<protocol::PassedOver> incomplete, damaged;
};

// Decides by what the output holds. `resume`: auto (go on if there is a checkpoint), must, never,
// or a checkpoint's path. Throws RefusedError when the job may not go on this run (a changed model,
// data or seed; never on a used output) and CheckpointError when there is nothing to go on from
// that should be there.
Attempt plan_attempt(const config::Job& job, const std::string& resume);

}  // namespace phalanx::launcher
