#pragma once

#include <cstddef>
#include <cstdint>

// The device's memory. The addresses that the host knows it by are closed to everybody; whoever
// acts as the device finds it at the same distance from each of them, at its alias.
namespace phalanx::pretend {

constexpr std::uintptr_t kDeviceBegin = 0x2000'0000'0000;
constexpr std::size_t kDeviceBytes = std::size_t{64} << 30;  // of addresses; pages come when used
constexpr std::uintptr_t kAliasDistance = 0x2000'0000'0000;

inline bool on_device(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) - kDeviceBegin < kDeviceBytes;
}

// Of an address on the device, or of null, which is its own.
template <class T>
T* alias_of(T* address) {
  if (address == nullptr) return nullptr;
  return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(address) + kAliasDistance);
}

// Bytes of all ones, which are not-a-number in every type, 512-byte aligned. Throws c10::Error when
// there is no room. From any thread.
std::byte* allocate_on_device(std::size_t bytes);
void free_on_device(void* address);

}  // namespace phalanx::pretend
