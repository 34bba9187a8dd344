#include "tests/pretend_device/device_allocator.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

#include "tests/pretend_device/device_memory.h"
#include "tests/pretend_device/pretend_device.h"

namespace phalanx::pretend {
namespace {

class DeviceAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    auto* const data = bytes == 0 ? nullptr : allocate_on_device(bytes);
    return {data, data, &drop, kDevice};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &drop; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(alias_of(to), alias_of(from), bytes);
  }

 private:
  static void drop(void* data) {
    if (data != nullptr) free_on_device(data);
  }
};

class PinnedAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    const std::size_t room = (bytes + kAlignment) / kAlignment * kAlignment;
    auto* const data = static_cast<std::byte*>(std::aligned_alloc(kAlignment, room));
    if (data == nullptr) throw std::bad_alloc();
    const std::lock_guard lock(mutex);
    blocks[data] = room;
    return {data, data, &drop, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &drop; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
  static bool has(const void* data) {
    const std::lock_guard lock(mutex);
    auto block = blocks.upper_bound(static_cast<const std::byte*>(data));
    if (block == blocks.begin()) return false;
    --block;
    return data < block->first + block->second;
  }

 private:
  static constexpr std::size_t kAlignment = 64;
  static void drop(void* data) {
    {
      const std::lock_guard lock(mutex);
      blocks.erase(static_cast<const std::byte*>(data));
    }
    std::free(data);
  }
  static inline std::mutex mutex;
  static inline std::map<const std::byte*, std::size_t> blocks;
};

}  // namespace

c10::Allocator& device_allocator() {
  static auto* const allocator = new DeviceAllocator;
  return *allocator;
}

c10::Allocator& pinned_allocator() {
  static auto* const allocator = new PinnedAllocator;
  return *allocator;
}

bool is_pinned(const void* data) { return PinnedAllocator::has(data); }

}  // namespace phalanx::pretend
