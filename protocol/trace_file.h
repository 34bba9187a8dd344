#pragma once

#include <filesystem>
#include <vector>

#include "protocol/trace.pb.h"

namespace phalanx::protocol {

// The files of a trace, one per node, in a folder that whoever asked for it has made and removes.
// A record is its length and a RankTrace; the ranks of a node append, each record at once.

// Throws StorageError, also when the folder is there no longer.
void append_trace(const std::filesystem::path& folder, const RankTrace& trace);

// The whole records of all nodes. Throws StorageError.
std::vector<RankTrace> read_traces(const std::filesystem::path& folder);

}  // namespace phalanx::protocol
