#include "protocol/trace_file.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace phalanx::protocol {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".pb") found.push_back(entry.path());
  if (error) throw StorageError(folder.string() + ": read: " + error.message());
  return found;
}

}  // namespace

void write_trace(const fs::path& folder, const RankTrace& trace) {
  write_file_atomically(folder / ("rank-" + std::to_string(trace.rank()) + ".pb"),
                        trace.SerializeAsString());
}

int count_traces(const fs::path& folder) { return static_cast<int>(files(folder).size()); }

std::vector<RankTrace> read_traces(const fs::path& folder) {
  std::vector<RankTrace> traces;
  for (const auto& path : files(folder)) {
    if (!traces.emplace_back().ParseFromString(read_file(path)))
      throw StorageError(path.string() + ": expected the trace of a rank, found other bytes",
                         "trace the run again");
  }
  std::ranges::sort(traces, {}, &RankTrace::rank);
  return traces;
}

}  // namespace phalanx::protocol
