#include "kernels/cpu/small_product.h"

#include <gtest/gtest.h>

#include "tests/kernels/tensors.h"

namespace phalanx::kernels {
namespace {

using test::numbers;
using test::relative_error;

void run(const SmallProductVariant& variant, const SmallProduct& size, Left<float> a,
         Panel<const float> b, Panel<float> c) {
  variant.of_float(size, a, b, c);
}
void run(const SmallProductVariant& variant, const SmallProduct& size, Left<double> a,
         Panel<const double> b, Panel<double> c) {
  variant.of_double(size, a, b, c);
}

template <class T>
class SmallProductOf : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SmallProductOf, Types);

// Rows that leave a remainder of every size, a left factor as it is and transposed, and memory
// beyond the result that must stay as it is.
TYPED_TEST(SmallProductOf, IsTheProductInEveryInstructionSetOfThisProcessor) {
  using T = TypeParam;
  const auto type = c10::CppTypeToScalarType<T>::value;
  const double tolerance = std::is_same_v<T, float> ? 1e-6 : 1e-14;
  for (const auto& variant : small_product_variants())
    for (const std::int64_t rows : {1, 2, 3, 7, 8, 13, 64})
      for (const std::int64_t depth : {1, 5, 128})
        for (const std::int64_t columns : {16, 48, 64}) {
          const std::int64_t stride = cache_stride(columns);
          const auto a = numbers({rows, depth}, 1, type), turned = a.t().contiguous();
          const auto b = numbers({depth, stride}, 2, type), c = numbers({rows, stride}, 3, type);
          auto fresh = c.clone(), sum = c.clone();
          const Panel<const T> right{b.template const_data_ptr<T>(), stride};
          run(variant, {rows, columns, depth, Into::kNew},
              {a.template const_data_ptr<T>(), depth, 1}, right,
              {fresh.template mutable_data_ptr<T>(), stride});
          run(variant, {rows, columns, depth, Into::kSum},
              {turned.template const_data_ptr<T>(), 1, rows}, right,
              {sum.template mutable_data_ptr<T>(), stride});

          const auto product = at::matmul(a.to(at::kDouble), b.to(at::kDouble));
          const auto part = [&](const at::Tensor& x) { return x.narrow(1, 0, columns); };
          EXPECT_LE(relative_error(part(fresh), part(product)), tolerance) << variant.name;
          EXPECT_LE(relative_error(part(sum), part(product + c)), tolerance) << variant.name;
          const auto beyond = stride - columns;
          EXPECT_TRUE(
              test::same_bits(fresh.narrow(1, columns, beyond), c.narrow(1, columns, beyond)));
        }
}

}  // namespace
}  // namespace phalanx::kernels
