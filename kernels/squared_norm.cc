#include "kernels/squared_norm.h"

#include <ATen/ops/empty.h>

#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

template <class T>
double norm_of(std::span<const T> values, c10::DeviceType device) {
  auto norm = at::empty({1}, at::TensorOptions(at::kDouble).device(device));
  perform_on(device, SquaredNorm<T>{values.data(), static_cast<std::int64_t>(values.size()),
                                    norm.mutable_data_ptr<double>()});
  return norm.item<double>();
}

}  // namespace

double squared_norm(std::span<const float> values, c10::DeviceType device) {
  return norm_of(values, device);
}
double squared_norm(std::span<const double> values, c10::DeviceType device) {
  return norm_of(values, device);
}

}  // namespace phalanx::kernels
