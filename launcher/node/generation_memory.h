#pragma once

#include <cstdint>

#include "base/file_descriptor.h"
#include "base/memory_file.h"

namespace phalanx::node {

// What the ranks of this node share in one generation (comm/native/node_memory.h): the keeper owns
// it, and ends the generation in it when one of them dies.
class GenerationMemory {
 public:
  GenerationMemory() = default;  // of no generation
  // Throws SystemError when the node has not enough memory.
  GenerationMemory(std::uint64_t generation, int ranks, std::uint64_t bytes_per_rank);

  std::uint64_t generation() const { return generation_; }  // 0: none
  int fd() const { return file_.get(); }
  // Survivors on this node throw within microseconds. -1: no rank is to blame.
  void end(int rank);

 private:
  std::uint64_t generation_ = 0;
  FileDescriptor file_;
  MemoryMapping mapping_;
};

}  // namespace phalanx::node
