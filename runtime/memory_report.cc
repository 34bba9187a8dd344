#include "runtime/memory_report.h"

#include <fmt/format.h>

namespace phalanx::runtime {
namespace {

double mib(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

std::string memory_report(const parallel::PlannedArena& step_arena) {
  std::string report = "memory at its peak, MiB:";
  for (std::size_t i = 0; i < parallel::kMemoryUses; ++i) {
    const auto use = static_cast<parallel::MemoryUse>(i);
    report += fmt::format(" {} {:.1f},", name_of(use), mib(memory_count(use).peak));
  }
  if (step_arena.counts().passes == 0) return report + " no arena";
  return report + fmt::format(" the {} tensors of a step in an arena of {:.1f}",
                              step_arena.counts().blocks, mib(step_arena.bytes()));
}

}  // namespace phalanx::runtime
