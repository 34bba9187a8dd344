#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/state_view.h"

namespace phalanx::checkpoint {

// A region in a shard file: fp32, little-endian, row-major, contiguous from byte `position` on.
struct StoredRegion {
  std::string kind;
  layout::Region region;
  std::uint64_t position = 0;
  std::string checksum;  // XXH3-128 of its bytes

  std::uint64_t bytes() const {
    return static_cast<std::uint64_t>(region.elements()) * sizeof(float);
  }
  bool operator==(const StoredRegion&) const = default;
};

// What one rank saved: an HDF5 file and everything needed to read and to check it without trusting
// its structure.
struct ShardInfo {
  std::string file;  // relative to the checkpoint, e.g. "shards/000/shard-00003-of-00008.h5"
  std::uint64_t bytes = 0;
  std::string structure_checksum;     // XXH3-128 of the bytes that belong to no region, in order
  std::vector<StoredRegion> regions;  // in the order of their positions

  bool operator==(const ShardInfo&) const = default;
};

// The name of rank `index`'s shard of `count`, relative to the checkpoint. A folder holds at most
// 256 of them.
std::string shard_file(int index, int count);

// Writes the views into `directory`/`file` as HDF5, durably, and makes the folders it needs. Each
// region is a dataset /KIND/TENSOR/ROW with the attributes `offset` and `global_shape`; equal views
// give equal bytes. `tensors` holds every tensor that the views name. HDF5 itself never touches the
// disk, so that a full or failing one is a StorageError that names the file, and nothing else
// happens; the file is removed then. Memory: the structure only (about 2 KiB a region).
ShardInfo write_shard(const std::filesystem::path& directory, const std::string& file,
                      std::span<const GlobalTensor> tensors, std::span<const StateView> views);

// For the way through the control plane. decode throws CheckpointError when the bytes are no shard.
std::string encode(const ShardInfo& shard);
ShardInfo decode_shard(std::string_view bytes);

// A stretch of a shard file, in order and without gaps; `region` is null for structure. Throws
// DamagedError when the regions cannot lie in a file of this size.
struct Stretch {
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;
  const StoredRegion* region = nullptr;
};
std::vector<Stretch> stretches(const ShardInfo& shard);

}  // namespace phalanx::checkpoint
