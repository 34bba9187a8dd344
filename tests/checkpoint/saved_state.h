#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/commit.h"
#include "checkpoint/directory.h"
#include "checkpoint/load.h"
#include "checkpoint/manifest.h"

namespace phalanx::checkpoint {

// A folder of this test's own, gone with it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// The tensors of a llama small enough to save often, and the kinds of its state.
std::vector<layout::TensorSpec> small_specs();
std::vector<GlobalTensor> small_tensors();
std::vector<std::string> adam_kinds();

// What the element at a row-major index of a tensor must be at a step.
float expected_value(const std::string& kind, const std::string& tensor, std::int64_t index,
                     std::int64_t step);

// What part `part` of `parts` owns of a replicated state, so that together they write it once: the
// tensors in order, cut between rows (the first dimension) into `parts` runs of elements as even as
// rows allow. Every element of every tensor is in exactly one region of one part; a part may own
// nothing.
std::vector<layout::Region> owned_rows(const std::vector<layout::TensorSpec>& specs, int parts,
                                       int part);

// The memory of one rank: its regions in every kind, at a step.
struct OwnedState {
  std::vector<std::vector<float>> memory;
  std::vector<StateView> views;
};
OwnedState owned_state(const std::vector<layout::Region>& regions, std::int64_t step);

// Writes the shards of `parts` ranks, without a manifest, and returns what it would be.
Manifest write_shards(const std::filesystem::path& partial, CheckpointId id,
                      std::uint64_t generation, int parts);
// Saves a whole checkpoint.
std::filesystem::path save_checkpoint(const std::filesystem::path& output, CheckpointId id,
                                      std::uint64_t generation = 1, int parts = 4);

// Flips the bits of `mask` in one byte of a file.
void flip_bits(const std::filesystem::path& path, std::uint64_t position, unsigned char mask);

// Loads the whole state as `parts` ranks would and expects every element as it must be.
void expect_state(const std::filesystem::path& checkpoint, int parts);

}  // namespace phalanx::checkpoint
