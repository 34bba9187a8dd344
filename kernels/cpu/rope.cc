#include "kernels/rope.h"

#include <ATen/ops/empty.h>

#include <numeric>
#include <vector>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

struct Shape {
  std::int64_t sequences, length, heads, head_width, stride;  // of a row, in elements
};

// `sign` is 1 to turn, -1 to turn back.
template <class T>
PHALANX_INLINE void turn(T* row, const Wide<T>* table, Wide<T> sign, Shape shape) {
  const std::int64_t half = shape.head_width / 2;
  for (std::int64_t s = 0; s < shape.sequences; ++s)
    for (std::int64_t position = 0; position < shape.length; ++position, row += shape.stride) {
      T* x = row;
      const Wide<T>* cosine = table + position * shape.head_width;
      const Wide<T>* sine = cosine + half;
      for (std::int64_t head = 0; head < shape.heads; ++head, x += shape.head_width) {
#pragma omp simd
        for (std::int64_t i = 0; i < half; ++i) {
          const Wide<T> real = wide(x[i]), imaginary = wide(x[i + half]);
          x[i] = rounded<T>(real * cosine[i] - sign * (imaginary * sine[i]));
          x[i + half] = rounded<T>(imaginary * cosine[i] + sign * (real * sine[i]));
        }
      }
    }
}

PHALANX_VECTORIZED void run(float* x, const float* table, float sign, Shape shape) {
  turn(x, table, sign, shape);
}
PHALANX_VECTORIZED void run(Bf16* x, const float* table, float sign, Shape shape) {
  turn(x, table, sign, shape);
}
PHALANX_VECTORIZED void run(double* x, const double* table, double sign, Shape shape) {
  turn(x, table, sign, shape);
}

void turn_all(at::Tensor& x, const at::Tensor& table, int sign) {
  const std::int64_t head_width = table.size(1);
  check(are_rows(x) && x.size(2) % head_width == 0 && x.size(1) <= table.size(0),
        "rope: x must be [sequences, length, heads * head_width], no longer than the table");
  for_activation_type(x, [&]<class T>(T) {
    run(x.mutable_data_ptr<T>(), table.const_data_ptr<Wide<T>>(), static_cast<Wide<T>>(sign),
        Shape{x.size(0), x.size(1), x.size(2) / head_width, head_width, x.stride(1)});
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
