#include "tests/pretend_device/device_memory.h"

#include <c10/util/Exception.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <iterator>
#include <map>
#include <mutex>

#include "base/check.h"
#include "base/file_descriptor.h"

namespace phalanx::pretend {
namespace {

constexpr std::size_t kAlignment = 512;

void map(const FileDescriptor& memory, std::uintptr_t address, int access) {
  auto* const at = reinterpret_cast<void*>(address);
  void* const found = ::mmap(at, kDeviceBytes, access,
                             MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, memory.get(), 0);
  check(found == at, "pretend device: its range of addresses is taken");
  ::madvise(at, kDeviceBytes, MADV_DONTDUMP);
}

void map_memory() {
  const FileDescriptor memory(::memfd_create("pretend-device", MFD_CLOEXEC));
  check(::ftruncate(memory.get(), kDeviceBytes) == 0, "pretend device: no memory file");
  map(memory, kDeviceBegin, PROT_NONE);
  map(memory, kDeviceBegin + kAliasDistance, PROT_READ | PROT_WRITE);
}

// First fit: of the free places, which never touch each other, the first that is large enough.
class Places {
 public:
  Places() { map_memory(); }

  std::uintptr_t take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    auto place = free_.begin();
    while (place != free_.end() && place->second < bytes) ++place;
    TORCH_CHECK_WITH(OutOfMemoryError, place != free_.end(), "pretend device: no room for ", bytes,
                     " bytes");
    const auto [begin, room] = *place;
    free_.erase(place);
    if (room > bytes) free_.emplace(begin + bytes, room - bytes);
    held_.emplace(begin, bytes);
    return begin;
  }

  void give_back(std::uintptr_t begin) {
    const std::lock_guard lock(mutex_);
    const auto block = held_.extract(begin);
    check(!block.empty(), "pretend device: what is freed was not allocated");
    auto place = free_.emplace(begin, block.mapped()).first;
    if (place != free_.begin()) place = join(std::prev(place));
    join(place);
  }

 private:
  using Map = std::map<std::uintptr_t, std::size_t>;  // beginnings and bytes

  // With the free place behind it, if they touch; returns what `place` is part of, or its
  // successor.
  Map::iterator join(Map::iterator place) {
    const auto next = std::next(place);
    if (next == free_.end() || place->first + place->second != next->first) return next;
    place->second += next->second;
    free_.erase(next);
    return place;
  }

  std::mutex mutex_;
  Map free_{{kDeviceBegin, kDeviceBytes}}, held_;
};

Places& places() {
  static auto* const places = new Places;  // tensors may be dropped at the very end of the process
  return *places;
}

}  // namespace

std::byte* allocate_on_device(std::size_t bytes) {
  const std::size_t room = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  auto* const data = reinterpret_cast<std::byte*>(places().take(room));
  std::memset(alias_of(data), 0xFF, bytes);
  return data;
}

void free_on_device(void* address) {
  places().give_back(reinterpret_cast<std::uintptr_t>(address));
}

}  // namespace phalanx::pretend
