#pragma once

#include <filesystem>
#include <functional>
#include <span>

#include "base/file_descriptor.h"
#include "checkpoint/shard.h"

namespace phalanx::checkpoint {

// Reads stretches of one shard file as bytes and their checksums; the file's HDF5 structure is
// never interpreted, so that a damaged one can do no harm. Throws StorageError when the file cannot
// be read, DamagedError when it is missing or ends too early.
class ShardReader {
 public:
  ShardReader(const std::filesystem::path& directory, const ShardInfo& shard);

  // Hands the region's data over in runs of whole rows, as regions with their elements, and returns
  // the checksum of all of it. The elements are valid during the call only.
  using Sink = std::function<void(const layout::Region& rows, std::span<const float> data)>;
  std::string read(const StoredRegion& stored, const Sink& sink);

  // Fills `bytes` from `position` on.
  void read_at(std::uint64_t position, std::span<std::byte> bytes);

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  FileDescriptor file_;
  std::vector<float> block_;
};

}  // namespace phalanx::checkpoint
