#include "parallel/flat_tensor.h"

#include <ATen/ops/empty.h>

#include "base/check.h"

namespace phalanx::parallel {

FlatTensor::FlatTensor(const layout::Bucket& bucket, at::TensorOptions options)
    : FlatTensor(bucket, at::empty({bucket.flat.elements}, options)) {
  release();
}

FlatTensor::FlatTensor(const layout::Bucket& bucket, at::Tensor memory)
    : flat_(std::move(memory)), slice_(bucket.slice()) {
  check(flat_.numel() == bucket.flat.elements, "a flat buffer has its bucket's elements");
}

void FlatTensor::acquire() {
  if (held()) return;
  auto* storage = flat_.storage().unsafeGetStorageImpl();
  storage->set_data_ptr_noswap(storage->allocator()->allocate(storage->nbytes()));
}

void FlatTensor::release() {
  flat_.storage().unsafeGetStorageImpl()->set_data_ptr_noswap(at::DataPtr(nullptr, flat_.device()));
}

bool FlatTensor::held() const { return flat_.storage().data() != nullptr; }

at::Tensor FlatTensor::slice(int index) const { return flat_.narrow(0, index * slice_, slice_); }

at::Tensor FlatTensor::view(const layout::Bucket& bucket, std::size_t index) const {
  const auto& spec = bucket.held[index];
  return flat_.narrow(0, bucket.flat.offsets[index], spec.elements()).view(spec.shape);
}

}  // namespace phalanx::parallel
