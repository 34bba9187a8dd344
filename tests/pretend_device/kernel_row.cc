#include "tests/pretend_device/kernel_row.h"

#include <c10/util/Type.h>
#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <typeinfo>

#include "base/check.h"
#include "tests/pretend_device/device_memory.h"

namespace phalanx::pretend {
namespace {

struct Pretend;

// Where the processor has addresses that are not small numbers. Doubles and pairs of floats are
// larger.
bool may_be_address(std::uint64_t word) {
  return word >= std::uint64_t{1} << 40 && word < std::uint64_t{1} << 47;
}

bool is_mapped(std::uint64_t address) {
  constexpr std::uint64_t kPage = 4096;
  unsigned char resident = 0;
  return ::mincore(reinterpret_cast<void*>(address / kPage * kPage), 1, &resident) == 0 ||
         errno != ENOMEM;
}

// Each address on the device becomes its alias.
void translate(std::span<std::uint64_t> operation, const std::type_info& type) {
  for (auto& word : operation) {
    if (word - kDeviceBegin < kDeviceBytes)
      word += kAliasDistance;
    else if (may_be_address(word) && is_mapped(word))
      check(false, "kernels: host memory handed to the device in " + c10::demangle(type.name()));
  }
}

}  // namespace
}  // namespace phalanx::pretend

namespace phalanx::kernels {

template <class Device, class Operation>
void perform(const Operation& operation) {
  static_assert(std::is_same_v<Device, pretend::Pretend>);
  static_assert(std::is_trivially_copyable_v<Operation>);
  std::array<std::uint64_t, sizeof(Operation) / sizeof(std::uint64_t)> words;
  Operation on_alias = operation;
  __builtin_clear_padding(&on_alias);  // what is left there by chance may look like an address
  std::memcpy(words.data(), static_cast<const void*>(&on_alias), sizeof words);
  pretend::translate(words, typeid(Operation));
  std::memcpy(static_cast<void*>(&on_alias), words.data(), sizeof words);
  perform_on(c10::DeviceType::CPU, on_alias);
}

}  // namespace phalanx::kernels

namespace phalanx::pretend {

const kernels::DeviceRow& kernel_row() {
  static const auto row = kernels::DeviceRow::of<Pretend>();
  return row;
}

}  // namespace phalanx::pretend
