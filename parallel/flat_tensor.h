#pragma once

#include <ATen/core/Tensor.h>

#include "layout/partition.h"

namespace phalanx::parallel {

// A flat buffer of a bucket's tensors whose memory comes and goes under the views made of it.
class FlatTensor {
 public:
  // Of the bucket's elements of this type and device, without memory; nothing but views may be made
  // until there is some.
  FlatTensor(const layout::Bucket& bucket, at::TensorOptions options);
  // Over memory that stays.
  FlatTensor(const layout::Bucket& bucket, at::Tensor memory);

  // Memory of unspecified content, where there is none yet.
  void acquire();
  void release();
  bool held() const;

  const at::Tensor& all() const { return flat_; }
  // The slice of replica `index`.
  at::Tensor slice(int index) const;
  // Tensor `index` of the bucket.
  at::Tensor view(const layout::Bucket& bucket, std::size_t index) const;

 private:
  at::Tensor flat_;
  std::int64_t slice_;
};

}  // namespace phalanx::parallel
