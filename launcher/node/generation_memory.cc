#include "launcher/node/generation_memory.h"

#include "comm/native/node_memory.h"

namespace phalanx::node {

GenerationMemory::GenerationMemory(std::uint64_t generation, int ranks,
                                   std::uint64_t bytes_per_rank)
    : generation_(generation) {
  if (bytes_per_rank == 0) return;
  file_ = create_memory_file("phalanx-generation-" + std::to_string(generation),
                             comm::node_memory_bytes(ranks, bytes_per_rank));
  mapping_ = MemoryMapping(file_);
}

std::vector<int> GenerationMemory::descriptors() const {
  return file_ ? std::vector{file_.get()} : std::vector<int>();
}

void GenerationMemory::end(int rank) {
  if (file_) comm::abort_node_memory(mapping_.bytes(), rank);
}

}  // namespace phalanx::node
