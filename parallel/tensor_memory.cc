#include "parallel/tensor_memory.h"

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <utility>

#include "layout/arena_plan.h"
#include "parallel/mapped_memory.h"
#include "parallel/planned_arena.h"

namespace phalanx::parallel {
namespace {

// Blocks from here on are mapped: given back when they are freed, they never become holes between
// smaller ones.
constexpr std::int64_t kMappedBytes = 256 << 10;

struct AtomicCount {
  std::atomic<std::int64_t> held = 0, peak = 0;

  void add(std::int64_t bytes) {
    const std::int64_t now = held.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    std::int64_t before = peak.load(std::memory_order_relaxed);
    while (before < now && !peak.compare_exchange_weak(before, now, std::memory_order_relaxed)) {
    }
  }
};
std::array<AtomicCount, kMemoryUses> counts;
thread_local MemoryUse current_use = MemoryUse::kOther;

AtomicCount& count_of(MemoryUse use) { return counts[static_cast<std::size_t>(use)]; }

// Lies before every tensor's memory, in a cache line of its own, and says where that came from.
struct alignas(layout::kArenaAlignment) Header {
  std::int64_t bytes;  // header included
  MemoryUse use;
  PlannedArena::Block block;  // of no pass outside of all
  PlannedArena* arena;        // that it lies in; null: it is the system's
};
static_assert(sizeof(Header) == layout::kArenaAlignment);

// Null if there is none.
std::byte* from_system(std::int64_t bytes) {
  if (bytes >= kMappedBytes) return MappedMemory(bytes).release();
  return static_cast<std::byte*>(
      std::aligned_alloc(alignof(Header), static_cast<std::size_t>(bytes)));
}

void to_system(std::byte* memory, std::int64_t bytes) {
  if (bytes >= kMappedBytes) {
    MappedMemory::adopt(memory, bytes);
  } else {
    std::free(memory);
  }
}

void* allocate(std::size_t size) {
  const auto units = (size + sizeof(Header) - 1) / sizeof(Header) + 1;
  const auto bytes = static_cast<std::int64_t>(units * sizeof(Header));
  PlannedArena* const arena = PlannedArena::current();
  const auto place = arena == nullptr ? PlannedArena::Place{} : arena->take(bytes);
  std::byte* const memory = place.address != nullptr ? place.address : from_system(bytes);
  // In the words of Torch's own allocator.
  TORCH_CHECK(memory != nullptr, "can't allocate memory: you tried to allocate ", size, " bytes");
  count_of(current_use).add(bytes);
  auto* const header = new (memory)
      Header{bytes, current_use, place.block, place.address != nullptr ? arena : nullptr};
  return header + 1;
}

void free(void* tensor) {
  if (tensor == nullptr) return;
  auto* const memory = static_cast<std::byte*>(tensor) - sizeof(Header);
  const Header header = *reinterpret_cast<const Header*>(memory);
  count_of(header.use).add(-header.bytes);
  if (PlannedArena* const arena = PlannedArena::current()) arena->give_back(header.block);
  if (header.arena != nullptr) {
    header.arena->leave();
  } else {
    to_system(memory, header.bytes);
  }
}

class Allocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t size) override {
    void* const memory = size == 0 ? nullptr : parallel::allocate(size);
    return {memory, memory, parallel::free, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return parallel::free; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

}  // namespace

std::string_view name_of(MemoryUse use) {
  constexpr std::string_view kNames[kMemoryUses] = {"other", "parameters", "optimizer", "gradients",
                                                    "activations"};
  return kNames[static_cast<std::size_t>(use)];
}

MemoryCount memory_count(MemoryUse use) { return {count_of(use).held, count_of(use).peak}; }

void count_tensor_memory() {
  // Tensors may live until the process ends, and so must this.
  static auto* const allocator = new Allocator;
  c10::SetCPUAllocator(allocator);
}

MemoryScope::MemoryScope(MemoryUse use) : before_(std::exchange(current_use, use)) {}
MemoryScope::~MemoryScope() { current_use = before_; }
MemoryUse MemoryScope::current() { return current_use; }

CountedMemory::CountedMemory(MemoryUse use, std::int64_t bytes) : use_(use), bytes_(bytes) {
  count_of(use_).add(bytes_);
}
CountedMemory::~CountedMemory() { count_of(use_).add(-bytes_); }

}  // namespace phalanx::parallel
