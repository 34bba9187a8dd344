#include "tests/runtime/counting_allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace phalanx::runtime {
namespace {

constexpr std::size_t kAlignment = 64;

struct Count {
  std::int64_t held = 0, peak = 0;

  void add(std::int64_t more) {
    held += more;
    peak = std::max(peak, held);
  }
};
thread_local Count of_thread;
thread_local std::array<Count, parallel::kMemoryUses> of_use;

struct Block {
  std::int64_t bytes;
  parallel::MemoryUse use;
};
static_assert(sizeof(Block) <= kAlignment);

void count(const Block& block, int sign) {
  of_thread.add(sign * block.bytes);
  of_use[static_cast<std::size_t>(block.use)].add(sign * block.bytes);
}

// A line before what is asked for tells what it is.
class CountingAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    const auto room = (bytes + 2 * kAlignment - 1) / kAlignment * kAlignment;
    auto* const line = static_cast<std::byte*>(std::aligned_alloc(kAlignment, room));
    if (line == nullptr) throw std::bad_alloc();
    const Block block{static_cast<std::int64_t>(bytes), parallel::MemoryScope::current()};
    std::memcpy(line, &block, sizeof block);
    count(block, 1);
    return {line + kAlignment, line, &drop, at::kCPU};
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  static void drop(void* line) {
    Block block;
    std::memcpy(&block, line, sizeof block);
    count(block, -1);
    std::free(line);
  }
};

void install() {
  static CountingAllocator allocator;
  static const bool installed = [] {
    c10::SetCPUAllocator(&allocator, 1);
    return true;
  }();
  static_cast<void>(installed);
}

}  // namespace

TensorMemory::TensorMemory() {
  install();
  before_ = of_thread.peak = of_thread.held;
  for (auto& count : of_use) count.peak = count.held;
}

std::int64_t TensorMemory::held() const { return of_thread.held - before_; }
std::int64_t TensorMemory::peak() const { return of_thread.peak - before_; }
std::int64_t TensorMemory::held(parallel::MemoryUse use) const {
  return of_use[static_cast<std::size_t>(use)].held;
}
std::int64_t TensorMemory::peak(parallel::MemoryUse use) const {
  return of_use[static_cast<std::size_t>(use)].peak;
}

}  // namespace phalanx::runtime
