#include "checkpoint/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/checksum.h"
#include "checkpoint/error.h"
#include "checkpoint/shard_reader.h"

namespace phalanx::checkpoint {
namespace {

constexpr std::uint64_t kBlock = 4u << 20;

void hash_structure(ShardReader& reader, const Stretch& stretch, Checksum& sum) {
  std::vector<std::byte> block(std::min(stretch.bytes, kBlock));
  for (std::uint64_t done = 0; done < stretch.bytes; done += block.size()) {
    block.resize(std::min(stretch.bytes - done, kBlock));
    reader.read_at(stretch.position + done, block);
    sum.update(block);
  }
}

void read_everything(const std::filesystem::path& directory, const ShardInfo& shard,
                     std::vector<Damage>& damage) {
  ShardReader reader(directory, shard);
  Checksum structure;
  for (const auto& stretch : stretches(shard)) {
    if (stretch.region == nullptr) {
      hash_structure(reader, stretch, structure);
      continue;
    }
    const auto& stored = *stretch.region;
    const auto found = reader.read(stored, [](const auto&, const auto&) {});
    if (found != stored.checksum)
      damage.push_back({shard.file, describe(stored.kind, stored.region), stored.checksum, found});
  }
  if (const auto found = structure.digest(); found != shard.structure_checksum)
    damage.push_back({shard.file, "structure", shard.structure_checksum, found});
}

}  // namespace

std::vector<Damage> verify_shard(const std::filesystem::path& directory, const ShardInfo& shard) {
  std::vector<Damage> damage;
  std::error_code error;
  const auto bytes = std::filesystem::file_size(directory / shard.file, error);
  if (error || bytes != shard.bytes)
    damage.push_back({shard.file, "file", fmt::format("{} bytes", shard.bytes),
                      error ? error.message() : fmt::format("{} bytes", bytes)});
  if (error) return damage;
  try {
    read_everything(directory, shard, damage);
  } catch (const Error& failure) {
    damage.push_back({shard.file, "file", "readable", failure.what()});
  }
  return damage;
}

std::vector<Damage> verify(const std::filesystem::path& directory, const Manifest& manifest,
                           int threads) {
  std::vector<std::vector<Damage>> found(manifest.shards.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < found.size(); i = next++)
      found[i] = verify_shard(directory, manifest.shards[i]);
  };
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }
  std::vector<Damage> all;
  for (auto& part : found) std::ranges::move(part, std::back_inserter(all));
  return all;
}

}  // namespace phalanx::checkpoint
