#pragma once

#include <cstdint>

#include "kernels/cuda/failure.h"

namespace phalanx::kernels::cuda {

// Device memory for what is put on the default stream while this lives; from the stream's pool, so
// that nobody waits.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t elements) {
    check_cuda(cudaMallocAsync(reinterpret_cast<void**>(&data_),
                               static_cast<std::size_t>(elements) * sizeof(T), nullptr),
               "cudaMallocAsync");
  }
  Scratch(const Scratch&) = delete;
  ~Scratch() { cudaFreeAsync(data_, nullptr); }
  T* data() const { return data_; }

 private:
  T* data_ = nullptr;
};

}  // namespace phalanx::kernels::cuda
