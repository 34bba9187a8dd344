#pragma once

#include <cstdint>
#include <vector>

#include "base/file_descriptor.h"
#include "base/memory_file.h"

namespace phalanx::node {

// What the ranks of this node share in one generation (comm/native/node_memory.h): the keeper owns
// it, and ends the generation in it when one of them dies.
class GenerationMemory {
 public:
  GenerationMemory() = default;  // of no generation
  // 0 bytes: without memory. Throws SystemError when the node has not enough.
  GenerationMemory(std::uint64_t generation, int ranks, std::uint64_t bytes_per_rank);

  std::uint64_t generation() const { return generation_; }  // 0: none
  std::vector<int> descriptors() const;  // for a frame: of the memory, if there is any
  // Survivors on this node throw within microseconds. -1: no rank is to blame.
  void end(int rank);

 private:
  std::uint64_t generation_ = 0;
  FileDescriptor file_;
  MemoryMapping mapping_;
};

}  // namespace phalanx::node
