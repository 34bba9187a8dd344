#include "tests/pretend_device/operators.h"

#include <ATen/EmptyTensor.h>
#include <ATen/ops/_local_scalar_dense.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>

#include <algorithm>

#include "tests/pretend_device/device_allocator.h"
#include "tests/pretend_device/host_side.h"
#include "tests/pretend_device/host_waits.h"
#include "tests/pretend_device/pretend_device.h"

namespace phalanx::pretend {
namespace {

constexpr c10::DispatchKeySet kKeys(c10::DispatchKey::PrivateUse1);

at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> type,
                 std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>,
                 std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &device_allocator(), kKeys, c10::dtype_or_default(type),
                                   format);
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride,
                         std::optional<at::ScalarType> type, std::optional<at::Layout>,
                         std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &device_allocator(), kKeys,
                                           c10::dtype_or_default(type));
}

// As on a GPU, the host goes on only after copies without waiting, which need pinned memory.
void count_copy(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  const auto waits = [&](const at::Tensor& host) {
    return !(non_blocking && is_pinned(host.storage().data()));
  };
  if (to.is_cpu() && waits(to)) ++host_waits().reads;
  if (from.is_cpu() && waits(from)) ++host_waits().writes;
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  count_copy(from, to, non_blocking);
  HostSide host;
  host.of(to).copy_(host.of(from));
  return to;
}

at::Scalar local_scalar_dense(const at::Tensor& tensor) {
  ++host_waits().reads;
  return at::_local_scalar_dense(HostSide().of(tensor));
}

const at::Tensor& resize(const at::Tensor& tensor, at::IntArrayRef size,
                         std::optional<at::MemoryFormat>) {
  const auto bytes = at::detail::computeStorageNbytesContiguous(
      size, tensor.itemsize(), static_cast<std::size_t>(tensor.storage_offset()));
  auto& storage = *tensor.storage().unsafeGetStorageImpl();
  if (bytes > storage.nbytes()) resize_storage(storage, bytes);
  tensor.unsafeGetTensorImpl()->set_sizes_contiguous(size);
  return tensor;
}

at::Tensor& set_storage(at::Tensor& tensor, at::Storage storage, std::int64_t offset,
                        at::IntArrayRef size, at::IntArrayRef stride) {
  tensor.unsafeGetTensorImpl()->set_storage_keep_dtype(std::move(storage));
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(size, stride, offset);
  return tensor;
}

at::Tensor& set_tensor(at::Tensor& tensor, const at::Tensor& source) {
  return set_storage(tensor, source.storage(), source.storage_offset(), source.sizes(),
                     source.strides());
}

}  // namespace

void resize_storage(c10::StorageImpl& storage, std::size_t bytes) {
  auto data = device_allocator().allocate(bytes);
  if (const auto kept = std::min(bytes, storage.nbytes()); kept > 0)
    device_allocator().copy_data(data.get(), storage.data(), kept);
  storage.set_data_ptr_noswap(std::move(data));
  storage.set_nbytes(bytes);
}

void register_operators(torch::Library& library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("as_strided", &at::native::as_strided_tensorimpl);
  library.impl("view", &at::native::view);
  library.impl("_reshape_alias", &at::native::_reshape_alias);
  library.impl("unfold", &at::native::unfold);
  library.impl("_copy_from", &copy_from);
  library.impl("_local_scalar_dense", &local_scalar_dense);
  library.impl("resize_", &resize);
  library.impl("set_.source_Storage_storage_offset", &set_storage);
  library.impl("set_.source_Tensor", &set_tensor);
}

}  // namespace phalanx::pretend
