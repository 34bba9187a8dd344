#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "protocol/trace.pb.h"

namespace phalanx::launcher {

struct TraceWish {
  std::int64_t first_step = 0;  // 0: the next one that begins
  std::int64_t steps = 1;       // how many
};

// Asks the ranks of a run at work to trace steps, and waits for what they write: as long as the run
// lives. When a rank dies on the way, the generation that follows is asked again. By rank; empty
// when a signal interrupted the waiting. Leaves nothing behind. Throws RefusedError (the run is
// over, or ended before those steps; the steps have been), LaunchError, StorageError (ranks that
// could not write).
std::vector<protocol::RankTrace> collect_traces(const std::filesystem::path& run,
                                                const TraceWish& wish);

}  // namespace phalanx::launcher
