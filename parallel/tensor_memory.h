#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace phalanx::parallel {

// What a rank's memory is for.
enum class MemoryUse { kOther, kParameters, kOptimizer, kGradients, kActivations };
constexpr std::size_t kMemoryUses = 5;
std::string_view name_of(MemoryUse use);

// Bytes of this process.
struct MemoryCount {
  std::int64_t held = 0;
  std::int64_t peak = 0;  // the most that was held at one moment
};
MemoryCount memory_count(MemoryUse use);

// From now on every tensor on the CPU gets its memory from here: counted by use, and from the
// calling thread's PlannedArena inside one of its passes. Once per process, before its first
// tensor; more calls change nothing.
void count_tensor_memory();

// While it lives, tensors that the calling thread makes are for `use`.
class MemoryScope {
 public:
  explicit MemoryScope(MemoryUse use);
  ~MemoryScope();
  // The calling thread's; kOther outside of all.
  static MemoryUse current();
  MemoryScope(const MemoryScope&) = delete;
  MemoryScope& operator=(const MemoryScope&) = delete;

 private:
  MemoryUse before_;
};

// Counts memory that is no tensor's, while it lives.
class CountedMemory {
 public:
  CountedMemory(MemoryUse use, std::int64_t bytes);
  ~CountedMemory();
  CountedMemory(const CountedMemory&) = delete;
  CountedMemory& operator=(const CountedMemory&) = delete;

 private:
  MemoryUse use_;
  std::int64_t bytes_;
};

}  // namespace phalanx::parallel
