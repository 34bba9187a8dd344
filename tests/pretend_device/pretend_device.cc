#include "tests/pretend_device/pretend_device.h"

#include <c10/core/Allocator.h>
#include <torch/library.h>

#include "kernels/device.h"
#include "tests/pretend_device/device_allocator.h"
#include "tests/pretend_device/device_guard.h"
#include "tests/pretend_device/fallback.h"
#include "tests/pretend_device/kernel_row.h"
#include "tests/pretend_device/operators.h"

namespace phalanx::pretend {
namespace {

constexpr auto kKey = c10::DispatchKey::PrivateUse1;

void install() {
  c10::register_privateuse1_backend("pretend");
  c10::SetAllocator(kPretend, &device_allocator());
  c10::impl::registerDeviceGuard(kPretend, &device_guard());
  at::RegisterPrivateUse1HooksInterface(&device_hooks());
  static torch::Library aten(torch::Library::IMPL, "aten", kKey, __FILE__, __LINE__);
  register_operators(aten);
  static torch::Library others(torch::Library::IMPL, "_", kKey, __FILE__, __LINE__);
  others.fallback(torch::CppFunction::makeFromBoxedFunction<&perform_as_cpu>());
  kernels::register_row(kPretend, kernel_row());
}

}  // namespace

void install_pretend_device() {
  static const bool installed = (install(), true);
  static_cast<void>(installed);
}

}  // namespace phalanx::pretend
