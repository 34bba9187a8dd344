#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/memory_driver.h"
#include "checkpoint/state_view.h"

namespace phalanx::checkpoint {

// An HDF5 file without its data: superblock, groups, object headers and attributes, with a hole for
// each dataset.
struct Hdf5Structure {
  MemoryImage image;                     // without the data
  std::vector<std::uint64_t> positions;  // of each view's data
};

// Lays out a file for the views (none of them empty). HDF5 sees memory only, so that no disk can
// fail under it: a write that fails inside HDF5 leaves it unable to close the file, and may abort.
// `path` is for messages. Throws CheckpointError when HDF5 refuses.
Hdf5Structure lay_out_hdf5(const std::string& path, std::span<const GlobalTensor> tensors,
                           std::span<const StateView> views);

}  // namespace phalanx::checkpoint
