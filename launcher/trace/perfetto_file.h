#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "launcher/trace/clock_alignment.h"
#include "protocol/trace.pb.h"

namespace phalanx::trace {

// A file for ui.perfetto.dev and what is in it.
struct PerfettoFile {
  std::string content;  // a perfetto::Trace
  std::int64_t spans = 0;
  std::uint64_t flows = 0;
};

// A process for each rank. Its main thread has the steps and in them the phases; below come a track
// for the collectives of each group, and one for the messages with each peer in each direction. A
// flow leads from rank to rank of a collective, in the order in which they began, and from a
// message's send to the end of its receive.
PerfettoFile perfetto_file(std::span<const protocol::RankTrace> traces,
                           const std::map<std::string, ClockAlignment>& clocks);

}  // namespace phalanx::trace
