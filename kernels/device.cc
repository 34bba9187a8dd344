#include "kernels/device.h"

#include <array>
#include <string>

#include "base/check.h"

namespace phalanx::kernels {
namespace {

std::array<const DeviceRow*, c10::COMPILE_TIME_MAX_DEVICE_TYPES>& rows() {
  static const DeviceRow cpu = DeviceRow::of<Cpu>();
  static std::array<const DeviceRow*, c10::COMPILE_TIME_MAX_DEVICE_TYPES> rows{&cpu};
  static_assert(static_cast<int>(c10::DeviceType::CPU) == 0);
  return rows;
}

}  // namespace

const DeviceRow& row_of(c10::DeviceType device) {
  const DeviceRow* row = rows()[static_cast<std::size_t>(device)];
  if (row == nullptr)
    check(false, "kernels: nothing has registered kernels for device " +
                     c10::DeviceTypeName(device, /*lower_case=*/true));
  return *row;
}

void register_row(c10::DeviceType device, const DeviceRow& row) {
  rows()[static_cast<std::size_t>(device)] = &row;
}

}  // namespace phalanx::kernels
