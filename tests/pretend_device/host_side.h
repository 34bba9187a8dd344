#pragma once

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

namespace phalanx::pretend {

// CPU tensors on the memory of tensors on the device, for what acts as the device. They own
// nothing; those of one storage share one here, so that ATen sees which overlap.
class HostSide {
 public:
  // Of sizes, strides and offset as the tensor; a tensor of the CPU, or an undefined one, itself.
  at::Tensor of(const at::Tensor& tensor);

 private:
  c10::Storage of(const c10::Storage& storage);
  std::vector<std::pair<const c10::StorageImpl*, c10::Storage>> storages_;
};

}  // namespace phalanx::pretend
