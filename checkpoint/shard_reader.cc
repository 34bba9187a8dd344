#include "checkpoint/shard_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/checksum.h"
#include "checkpoint/error.h"

namespace phalanx::checkpoint {
namespace {
constexpr std::int64_t kBlockElements = 1 << 20;
}

ShardReader::ShardReader(const std::filesystem::path& directory, const ShardInfo& shard)
    : path_((directory / shard.file).string()), file_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (file_) return;
  if (errno == ENOENT)
    throw DamagedError(
        fmt::format("{}: expected {} bytes, found no such file", path_, shard.bytes));
  throw storage_error(path_ + ": open");
}

void ShardReader::read_at(std::uint64_t position, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const auto count =
        ::pread(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw storage_error(path_ + ": read");
    if (count == 0)
      throw DamagedError(fmt::format("{}: expected {} more bytes at byte {}, found its end", path_,
                                     bytes.size(), position));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    position += static_cast<std::uint64_t>(count);
  }
}

std::string ShardReader::read(const StoredRegion& stored, const Sink& sink) {
  const auto& region = stored.region;
  const std::int64_t rows = region.extent.empty() ? 1 : region.extent.front();
  const std::int64_t row_elements = rows == 0 ? 1 : region.elements() / rows;
  const std::int64_t rows_at_once = std::max<std::int64_t>(1, kBlockElements / row_elements);
  Checksum sum;
  std::uint64_t position = stored.position;
  for (std::int64_t row = 0; row < rows; row += rows_at_once) {
    layout::Region part = region;
    if (!region.extent.empty()) {
      part.offset.front() += row;
      part.extent.front() = std::min(rows_at_once, rows - row);
    }
    block_.resize(static_cast<std::size_t>(part.elements()));
    const auto bytes = std::as_writable_bytes(std::span(block_));
    read_at(position, bytes);
    position += bytes.size();
    sum.update(bytes);
    sink(part, block_);
  }
  return sum.digest();
}

}  // namespace phalanx::checkpoint
