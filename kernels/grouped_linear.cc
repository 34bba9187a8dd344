#include "kernels/grouped_linear.h"

#include <ATen/ops/empty.h>

#include "base/check.h"
#include "kernels/linear.h"

namespace phalanx::kernels {
namespace {

// Calls body(expert, first row, rows) for each expert that has rows.
template <class Body>
void for_each_expert(std::span<const std::int64_t> rows, std::span<const at::Tensor> weights,
                     std::int64_t all, const Body& body) {
  check(rows.size() == weights.size(), "grouped linear: expected a weight for each expert");
  std::int64_t first = 0;
  for (std::size_t e = 0; e < rows.size(); first += rows[e++])
    if (rows[e] > 0) body(e, first, rows[e]);
  check(first == all, "grouped linear: expected the experts' rows one after another");
}

}  // namespace

at::Tensor grouped_linear(const at::Tensor& x, std::span<const std::int64_t> rows,
                          std::span<const at::Tensor> weights) {
  auto y = at::empty({x.size(0), weights.front().size(0)}, x.options());
  for_each_expert(rows, weights, x.size(0), [&](auto e, std::int64_t first, std::int64_t count) {
    linear_into(x.narrow(0, first, count), weights[e], y.narrow(0, first, count));
  });
  return y;
}

at::Tensor grouped_linear_backward_input(const at::Tensor& dy, std::span<const std::int64_t> rows,
                                         std::span<const at::Tensor> weights) {
  auto dx = at::empty({dy.size(0), weights.front().size(1)}, dy.options());
  for_each_expert(rows, weights, dy.size(0), [&](auto e, std::int64_t first, std::int64_t count) {
    linear_backward_input_into(dy.narrow(0, first, count), weights[e], dx.narrow(0, first, count));
  });
  return dx;
}

void add_grouped_linear_backward_weight(const at::Tensor& dy, const at::Tensor& x,
                                        std::span<const std::int64_t> rows,
                                        std::span<const at::Tensor> dweights) {
  for_each_expert(rows, dweights, x.size(0), [&](auto e, std::int64_t first, std::int64_t count) {
    add_linear_backward_weight(dy.narrow(0, first, count), x.narrow(0, first, count), dweights[e]);
  });
}

}  // namespace phalanx::kernels
