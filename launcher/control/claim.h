#pragma once

#include "launcher/control/decision.pb.h"
#include "protocol/run_directory.h"

namespace phalanx::control {

// Claims a generation by creating its file, which only one controller can do. `claimant` is the
// file's content; a file that holds it already was created by ourselves before a restart. Returns
// GenerationClaimed, or ClaimRefused with exit code 5 (another controller has it) or 7 (storage).
Event claim_generation(const protocol::RunDirectory& directory, std::uint64_t generation,
                       const std::string& claimant);

// The highest generation that was ever claimed in this output; 0 when none was.
std::uint64_t last_claimed_generation(const protocol::RunDirectory& directory);

}  // namespace phalanx::control
