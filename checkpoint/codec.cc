#include "checkpoint/codec.h"

#include <fmt/format.h>

#include "base/checksum.h"
#include "checkpoint/checkpoint.pb.h"
#include "checkpoint/error.h"

namespace phalanx::checkpoint {
namespace {

template <typename Field>
std::vector<std::int64_t> values(const Field& field) {
  return {field.begin(), field.end()};
}

void to_proto(const ShardInfo& shard, proto::Shard& out) {
  out.set_file(shard.file);
  out.set_bytes(shard.bytes);
  out.set_structure_checksum(shard.structure_checksum);
  for (const auto& stored : shard.regions) {
    auto& region = *out.add_regions();
    region.set_kind(stored.kind);
    region.set_tensor(stored.region.tensor);
    region.mutable_offset()->Add(stored.region.offset.begin(), stored.region.offset.end());
    region.mutable_extent()->Add(stored.region.extent.begin(), stored.region.extent.end());
    region.set_position(stored.position);
    region.set_checksum(stored.checksum);
  }
}

ShardInfo from_proto(const proto::Shard& in) {
  ShardInfo shard{in.file(), in.bytes(), in.structure_checksum(), {}};
  for (const auto& region : in.regions())
    shard.regions.push_back({region.kind(),
                             {region.tensor(), values(region.offset()), values(region.extent())},
                             region.position(),
                             region.checksum()});
  return shard;
}

proto::Manifest to_proto(const Manifest& manifest) {
  proto::Manifest out;
  out.set_format_version(kFormatVersion);
  out.set_step(manifest.step);
  out.set_attempt(manifest.attempt);
  out.set_generation(manifest.generation);
  out.set_phalanx_version(manifest.phalanx_version);
  out.set_cursor(manifest.cursor);
  out.set_optimizer_step(manifest.optimizer_step);
  out.set_tokens(manifest.tokens);
  out.set_job_yaml(manifest.job_yaml);
  for (const auto& tensor : manifest.tensors) {
    auto& added = *out.add_tensors();
    added.set_name(tensor.name);
    added.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
  }
  for (const auto& kind : manifest.kinds) out.add_kinds(kind);
  for (const auto& shard : manifest.shards) to_proto(shard, *out.add_shards());
  return out;
}

Manifest from_proto(const proto::Manifest& in) {
  Manifest manifest;
  manifest.step = in.step();
  manifest.attempt = in.attempt();
  manifest.generation = in.generation();
  manifest.phalanx_version = in.phalanx_version();
  manifest.cursor = in.cursor();
  manifest.optimizer_step = in.optimizer_step();
  manifest.tokens = in.tokens();
  manifest.job_yaml = in.job_yaml();
  for (const auto& tensor : in.tensors())
    manifest.tensors.push_back({tensor.name(), values(tensor.shape())});
  for (const auto& kind : in.kinds()) manifest.kinds.push_back(kind);
  for (const auto& shard : in.shards()) manifest.shards.push_back(from_proto(shard));
  return manifest;
}

// A damaged checksum may hold anything.
std::string printable(std::string text) {
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text.empty() ? "none" : text;
}

}  // namespace

std::string encode(const ShardInfo& shard) {
  proto::Shard out;
  to_proto(shard, out);
  return out.SerializeAsString();
}

ShardInfo decode_shard(std::string_view bytes) {
  proto::Shard in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    throw CheckpointError(
        fmt::format("a rank's report of its shard cannot be read ({} bytes)", bytes.size()));
  return from_proto(in);
}

std::string encode(const Manifest& manifest) {
  proto::ManifestFile file;
  file.set_manifest(to_proto(manifest).SerializeAsString());
  file.set_checksum(checksum(file.manifest()));
  return file.SerializeAsString();
}

Manifest decode_manifest(std::string_view content, const std::string& name) {
  proto::ManifestFile file;
  if (!file.ParseFromArray(content.data(), static_cast<int>(content.size())))
    throw DamagedError(name + ": damaged: it is not a Protobuf message of a checkpoint");
  if (const std::string found = checksum(file.manifest()); found != file.checksum())
    throw DamagedError(fmt::format("{}: damaged: expected checksum {}, found {}", name,
                                   printable(file.checksum()), found));
  proto::Manifest in;
  if (!in.ParseFromString(file.manifest()))
    throw DamagedError(name + ": damaged: its manifest cannot be read");
  if (in.format_version() != kFormatVersion)
    throw CheckpointError(fmt::format("{}: expected format version {}, found {}", name,
                                      kFormatVersion, in.format_version()),
                          "use the version of Phalanx that wrote the checkpoint");
  return from_proto(in);
}

}  // namespace phalanx::checkpoint
