#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "checkpoint/hdf5_structure.h"
#include "checkpoint/shard.h"

namespace phalanx::checkpoint {
namespace {

static_assert(std::endian::native == std::endian::little, "shards hold little-endian numbers");

constexpr std::size_t kBlock = 8u << 20;  // hashed while it is in the cache, then written

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

FileDescriptor create(const std::string& path) {
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) throw storage_error(path + ": open");
  return file;
}

// A disk that is too full says so before anything is written, where the file system can tell.
void reserve(const FileDescriptor& file, std::uint64_t bytes, const std::string& path) {
  if (bytes == 0 || ::fallocate(file.get(), 0, 0, static_cast<off_t>(bytes)) == 0) return;
  if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR)
    throw StorageError(
        describe_errno(path + ": cannot reserve " + std::to_string(bytes) + " bytes"),
        "free space on the disk, or keep fewer checkpoints (checkpoint.keep)");
}

void write_hashed(const FileDescriptor& file, std::span<const std::byte> bytes, Checksum& sum,
                  const std::string& path) {
  while (!bytes.empty()) {
    const auto block = bytes.first(std::min(bytes.size(), kBlock));
    sum.update(block);
    write_all(file, as_text(block), path);
    bytes = bytes.subspan(block.size());
  }
}

std::vector<std::byte> structure_bytes(const MemoryImage& image, const Stretch& stretch) {
  std::vector<std::byte> bytes(stretch.bytes);
  image.read(stretch.position, bytes);
  return bytes;
}

// The views in the order of their places in the file.
struct Placed {
  std::uint64_t position;
  const StateView* view;
};
std::vector<Placed> in_order(const Hdf5Structure& structure, std::span<const StateView> views) {
  std::vector<Placed> placed;
  for (std::size_t i = 0; i < views.size(); ++i)
    placed.push_back({structure.positions[i], &views[i]});
  std::ranges::sort(placed, {}, &Placed::position);
  return placed;
}

void write_content(const std::string& path, const Hdf5Structure& structure,
                   const std::vector<Placed>& placed, ShardInfo& shard) {
  const FileDescriptor file = create(path);
  reserve(file, shard.bytes, path);
  Checksum structure_sum;
  std::size_t next = 0;
  for (const auto& stretch : stretches(shard)) {
    if (stretch.region == nullptr) {
      write_hashed(file, structure_bytes(structure.image, stretch), structure_sum, path);
    } else {
      Checksum sum;
      write_hashed(file, std::as_bytes(placed[next].view->data), sum, path);
      shard.regions[next++].checksum = sum.digest();
    }
  }
  shard.structure_checksum = structure_sum.digest();
  if (::fsync(file.get()) != 0) throw storage_error(path + ": fsync");
}

std::vector<StateView> without_empty(std::span<const StateView> views) {
  std::vector<StateView> rest;
  for (const auto& view : views) {
    check(std::cmp_equal(view.data.size(), view.region.elements()),
          "a region's memory has its size");
    if (!view.data.empty()) rest.push_back(view);
  }
  return rest;
}

}  // namespace

ShardInfo write_shard(const std::filesystem::path& directory, const std::string& file,
                      std::span<const GlobalTensor> tensors, std::span<const StateView> views) {
  const std::filesystem::path path = directory / file;
  const auto filled = without_empty(views);
  const Hdf5Structure structure = lay_out_hdf5(path.string(), tensors, filled);
  const auto placed = in_order(structure, filled);
  ShardInfo shard{file, structure.image.size(), {}, {}};
  for (const auto& [position, view] : placed)
    shard.regions.push_back({view->kind, view->region, position, {}});
  make_folders(path.parent_path());
  try {
    write_content(path, structure, placed, shard);
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
  return shard;
}

}  // namespace phalanx::checkpoint
