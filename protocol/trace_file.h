#pragma once

#include <filesystem>
#include <vector>

#include "protocol/trace.pb.h"

namespace phalanx::protocol {

// A trace's folder holds a file for each rank, which is there when it is whole. Whoever asked for
// the trace has made the folder, and removes it.

// Throws StorageError, also when the folder is there no longer.
void write_trace(const std::filesystem::path& folder, const RankTrace& trace);

// How many ranks have written theirs. Throws StorageError.
int count_traces(const std::filesystem::path& folder);

// By rank. Throws StorageError.
std::vector<RankTrace> read_traces(const std::filesystem::path& folder);

}  // namespace phalanx::protocol
