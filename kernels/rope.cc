#include "kernels/rope.h"

#include <ATen/ops/empty.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {
namespace {

void turn_all(at::Tensor& x, const at::Tensor& table, int sign) {
  const std::int64_t head_width = table.size(1);
  check(are_rows(x) && x.size(2) % head_width == 0 && x.size(1) <= table.size(0),
        "rope: x must be [sequences, length, heads * head_width], no longer than the table");
  for_activation_type(x, [&]<class T>(T) {
    perform_on(x.device().type(),
               RopeTurn<T>{x.mutable_data_ptr<T>(), table.const_data_ptr<Wide<T>>(),
                           static_cast<Wide<T>>(sign), x.size(0), x.size(1), x.size(2) / head_width,
                           head_width, x.stride(1)});
  });
}

}  // namespace

at::Tensor rope_table(std::span<const std::int64_t> positions, std::int64_t head_width,
                      double theta, at::ScalarType type) {
  check(head_width % 2 == 0, "rope: the width of a head must be even");
  auto table = at::empty({std::ssize(positions), head_width}, type);
  const std::int64_t half = head_width / 2;
  for_element_type(table, [&]<class T>(T) {
    T* row = table.mutable_data_ptr<T>();
    for (const auto position : positions) {
      for (std::int64_t i = 0; i < half; ++i) {
        const double turn =
            std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_width));
        const double angle = static_cast<double>(position) * turn;
        row[i] = static_cast<T>(std::cos(angle));
        row[i + half] = static_cast<T>(std::sin(angle));
      }
      row += head_width;
    }
  });
  return table;
}

at::Tensor rope_table(std::int64_t first_position, std::int64_t length, std::int64_t head_width,
                      double theta, at::ScalarType type) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(length));
  std::iota(positions.begin(), positions.end(), first_position);
  return rope_table(positions, head_width, theta, type);
}

void rope(at::Tensor& x, const at::Tensor& table) { turn_all(x, table, 1); }

void rope_backward(at::Tensor& dx, const at::Tensor& table) { turn_all(dx, table, -1); }

}  // namespace phalanx::kernels
