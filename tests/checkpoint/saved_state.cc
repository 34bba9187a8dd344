#include "saved_state.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/check.h"
#include "base/philox.h"

namespace phalanx::checkpoint {
namespace {

// The row-major indices in its tensor of a region's elements, in the region's order.
std::vector<std::int64_t> global_indices(const layout::Region& region,
                                         const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> indices{0};
  for (std::size_t d = 0; d < shape.size(); ++d) {
    std::vector<std::int64_t> next;
    for (const auto index : indices)
      for (std::int64_t i = 0; i < region.extent[d]; ++i)
        next.push_back(index * shape[d] + region.offset[d] + i);
    indices = std::move(next);
  }
  return indices;
}

std::vector<std::int64_t> shape_of(const std::string& name) {
  for (const auto& tensor : small_tensors())
    if (tensor.name == name) return tensor.shape;
  return {};
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "checkpoint_test.XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<layout::TensorSpec> small_specs() {
  config::Model model;
  model.layers = 2;
  model.width = 24;
  model.heads = 4;
  model.kv_heads = 2;
  model.ffn_width = 40;
  model.sequence_length = 16;
  model.vocab_size = 101;
  return layout::tensor_specs(model);
}

std::vector<GlobalTensor> small_tensors() {
  std::vector<GlobalTensor> tensors;
  for (const auto& spec : small_specs()) tensors.push_back({spec.name, spec.shape});
  return tensors;
}

std::vector<std::string> adam_kinds() { return {"parameter", "adam_m", "adam_v"}; }

float expected_value(const std::string& kind, const std::string& tensor, std::int64_t index,
                     std::int64_t step) {
  const auto site = stable_hash((kind + "/" + tensor).c_str());
  const auto mixed = (site ^ static_cast<std::uint64_t>(step) * 0x9e3779b97f4a7c15ull) +
                     static_cast<std::uint64_t>(index) * 0xbf58476d1ce4e5b9ull;
  return static_cast<float>(mixed >> 40) / 1024.0f;
}

std::vector<layout::Region> owned_rows(const std::vector<layout::TensorSpec>& specs, int parts,
                                       int part) {
  check(0 <= part && part < parts, "state is divided among parts numbered from 0 on");
  const std::int64_t total = layout::parameter_count(specs);
  std::vector<layout::Region> owned;
  std::int64_t before = 0;  // elements of the tensors before this one
  for (const auto& spec : specs) {
    if (spec.elements() == 0) continue;
    const std::int64_t rows = spec.shape.empty() ? 1 : spec.shape.front();
    const std::int64_t row_elements = spec.elements() / rows;
    // The rows of the first `count` parts: the row that holds their last element is theirs.
    const auto rows_of_first = [&](int count) {
      const std::int64_t end = total * count / parts - before;
      return std::clamp((end + row_elements - 1) / row_elements, std::int64_t{0}, rows);
    };
    const std::int64_t first = rows_of_first(part), last = rows_of_first(part + 1);
    before += spec.elements();
    if (first == last) continue;
    layout::Region region{spec.name, std::vector<std::int64_t>(spec.shape.size(), 0), spec.shape};
    if (!spec.shape.empty()) {
      region.offset[0] = first;
      region.extent[0] = last - first;
    }
    owned.push_back(std::move(region));
  }
  return owned;
}

OwnedState owned_state(const std::vector<layout::Region>& regions, std::int64_t step) {
  OwnedState state;
  for (const auto& kind : adam_kinds())
    for (const auto& region : regions) {
      auto& values = state.memory.emplace_back();
      for (const auto index : global_indices(region, shape_of(region.tensor)))
        values.push_back(expected_value(kind, region.tensor, index, step));
      state.views.push_back({kind, region, values});
    }
  return state;
}

Manifest write_shards(const std::filesystem::path& partial, CheckpointId id,
                      std::uint64_t generation, int parts) {
  Manifest manifest;
  manifest.step = id.step;
  manifest.attempt = id.attempt;
  manifest.generation = generation;
  manifest.phalanx_version = "0.1.0";
  manifest.cursor = id.step * 16;
  manifest.optimizer_step = id.step;
  manifest.tokens = id.step * 16 * 256;
  manifest.job_yaml = "name: small\nseed: 1\n";
  manifest.tensors = small_tensors();
  manifest.kinds = adam_kinds();
  for (int part = 0; part < parts; ++part) {
    const auto state = owned_state(owned_rows(small_specs(), parts, part), id.step);
    manifest.shards.push_back(
        write_shard(partial, shard_file(part, parts), manifest.tensors, state.views));
  }
  return manifest;
}

std::filesystem::path save_checkpoint(const std::filesystem::path& output, CheckpointId id,
                                      std::uint64_t generation, int parts) {
  const auto partial = partial_path(output, id, generation);
  return commit(partial, write_shards(partial, id, generation, parts));
}

void flip_bits(const std::filesystem::path& path, std::uint64_t position, unsigned char mask) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(position));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(position));
  file.put(static_cast<char>(byte ^ mask));
}

void expect_state(const std::filesystem::path& checkpoint, int parts) {
  const Manifest manifest = read_manifest(checkpoint);
  for (int part = 0; part < parts; ++part) {
    const auto regions = owned_rows(small_specs(), parts, part);
    const OwnedState expected = owned_state(regions, manifest.step);
    std::vector<std::vector<float>> memory;
    std::vector<MutableStateView> wanted;
    for (const auto& view : expected.views) {
      memory.emplace_back(view.data.size(), -1.0f);
      wanted.push_back({view.kind, view.region, memory.back()});
    }
    load(checkpoint, manifest, wanted);
    EXPECT_EQ(memory, expected.memory) << parts << " parts of " << checkpoint;
  }
}

}  // namespace phalanx::checkpoint
