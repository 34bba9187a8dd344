#include "protocol/trace_file.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/file.h"

namespace phalanx::protocol {

void append_trace(const std::filesystem::path& folder, const RankTrace& trace) {
  const std::string content = trace.SerializeAsString();
  const std::uint64_t size = content.size();
  std::string record(reinterpret_cast<const char*>(&size), sizeof size);
  record += content;
  AppendFile(folder / ("node" + std::to_string(trace.node()))).append(record);
}

std::vector<RankTrace> read_traces(const std::filesystem::path& folder) {
  std::vector<RankTrace> traces;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string content = read_file(entry.path());
    std::string_view rest = content;
    std::uint64_t size = 0;
    while (rest.size() >= sizeof size) {
      std::memcpy(&size, rest.data(), sizeof size);
      rest.remove_prefix(sizeof size);
      RankTrace trace;
      if (size > rest.size() || !trace.ParseFromArray(rest.data(), static_cast<int>(size))) break;
      traces.push_back(std::move(trace));
      rest.remove_prefix(size);
    }
  }
  return traces;
}

}  // namespace phalanx::protocol
