#include "tests/pretend_device/host_side.h"

#include <c10/core/CPUAllocator.h>

#include "tests/pretend_device/device_memory.h"
#include "tests/pretend_device/pretend_device.h"

namespace phalanx::pretend {

c10::Storage HostSide::of(const c10::Storage& storage) {
  const auto* const key = storage.unsafeGetStorageImpl();
  for (const auto& [known, alias] : storages_)
    if (known == key) return alias;
  void* const data = alias_of(storage.mutable_data());
  c10::Storage alias(c10::Storage::use_byte_size_t(), storage.nbytes(),
                     c10::DataPtr(data, c10::Device(c10::kCPU)), c10::GetCPUAllocator(),
                     /*resizable=*/true);
  storages_.emplace_back(key, alias);
  return alias;
}

at::Tensor HostSide::of(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.device().type() != kPretend) return tensor;
  auto alias = at::detail::make_tensor<c10::TensorImpl>(
      of(tensor.storage()), c10::DispatchKeySet(c10::DispatchKey::CPU), tensor.dtype());
  alias.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides(),
                                                     tensor.storage_offset());
  return alias;
}

}  // namespace phalanx::pretend
