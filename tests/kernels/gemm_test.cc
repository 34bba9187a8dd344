#include "kernels/cpu/gemm/gemm.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "kernels/cpu/gemm/blocking.h"
#include "kernels/cpu/gemm/micro_kernel.h"
#include "kernels/cpu/gemm/packed_matrix.h"
#include "tests/kernels/tensors.h"

namespace phalanx::kernels {
namespace {

using test::numbers;
using test::relative_error;
using test::same_bits;

struct Shape {
  std::int64_t m, n, k;
};

// Around the sizes of a tile and of a depth block; one row, one column, nothing to sum.
const std::vector<Shape> kShapes = {{1, 1, 1},     {1, 64, 64},  {1, 130, 77},  {5, 63, 1},
                                    {6, 64, 96},   {7, 65, 2},   {23, 1, 50},   {24, 255, 33},
                                    {25, 256, 34}, {61, 300, 7}, {13, 70, 769}, {40, 80, 1537},
                                    {1021, 3, 5},  {3, 5, 0}};

// A matrix [rows, columns] of T inside wider memory full of NaN, stored as it is or transposed.
template <class T>
class Stored {
 public:
  Stored(const at::Tensor& values, Transpose transpose, std::int64_t beyond = 3)
      : transpose_(transpose),
        stored_(transpose == Transpose::kYes ? values.t() : values),
        memory_(at::full({stored_.size(0) + 1, stored_.size(1) + beyond},
                         std::numeric_limits<double>::quiet_NaN(),
                         c10::CppTypeToScalarType<T>::value)) {
    inside().copy_(stored_);
  }

  Matrix<const T> read() const {
    return {memory_.template const_data_ptr<T>(), memory_.size(1), transpose_};
  }
  Matrix<T> write() { return {memory_.template mutable_data_ptr<T>(), memory_.size(1)}; }
  at::Tensor inside() const {
    return memory_.narrow(0, 0, stored_.size(0)).narrow(1, 0, stored_.size(1));
  }
  bool untouched_around() const {
    return memory_.narrow(1, stored_.size(1), memory_.size(1) - stored_.size(1))
               .isnan()
               .all()
               .template item<bool>() &&
           memory_.narrow(0, stored_.size(0), 1).isnan().all().template item<bool>();
  }

 private:
  Transpose transpose_;
  at::Tensor stored_, memory_;
};

constexpr Transpose kBoth[] = {Transpose::kNo, Transpose::kYes};

// Relative to the norm of the result: what sums of k rounded products leave in fp32, and what
// rounding the operands leaves in bf16. A missing term of 1537 would be 40 times as much.
template <class A, class B, class C>
double tolerance(const MicroKernel& kernel) {
  return std::is_same_v<A, float> && std::is_same_v<B, float> && std::is_same_v<C, float> &&
                 kernel.unit == UnitType::kFloat
             ? 1e-6
             : 5e-3;
}

template <class A, class B, class C>
void expect_products(const MicroKernel& kernel) {
  const auto type = [](auto value) { return c10::CppTypeToScalarType<decltype(value)>::value; };
  for (const auto& [m, n, k] : kShapes)
    for (const Transpose turn_a : kBoth)
      for (const Transpose turn_b : kBoth)
        for (const float beta : {0.0F, -0.5F}) {
          const auto a = numbers({m, k}, 1, type(A{})), b = numbers({k, n}, 2, type(B{})),
                     c = numbers({m, n}, 3, type(C{}));
          Stored<A> left(a, turn_a);
          Stored<B> right(b, turn_b);
          Stored<C> result(c, Transpose::kNo);
          // With beta 0 what lies there is not read.
          if (beta == 0) result.inside().fill_(std::numeric_limits<double>::quiet_NaN());
          gemm_with(kernel, m, n, k, 0.75F, left.read(), right.read(), beta, result.write());
          const auto expected = 0.75 * at::mm(a.to(at::kDouble), b.to(at::kDouble)) +
                                static_cast<double>(beta) * c.to(at::kDouble);
          const auto where = std::string(kernel.name) + " " + std::to_string(m) + " x " +
                             std::to_string(n) + " x " + std::to_string(k);
          ASSERT_TRUE(result.untouched_around()) << where;
          if (k == 0 && beta == 0) {
            ASSERT_EQ(result.inside().abs().max().template item<float>(), 0) << where;
          } else {
            ASSERT_LE(relative_error(result.inside(), expected), (tolerance<A, B, C>(kernel)))
                << where << ", beta " << beta;
          }
        }
}

TEST(Gemm, IsTheProductInEveryInstructionSetOfThisProcessor) {
  for (const MicroKernel* kernel : micro_kernels()) expect_products<float, float, float>(*kernel);
}

TEST(Gemm, OfBFloat16IsTheProductUpToTheRoundingOfOperandsAndResult) {
  using c10::BFloat16;
  for (const MicroKernel* kernel : micro_kernels()) {
    expect_products<BFloat16, BFloat16, BFloat16>(*kernel);
    expect_products<BFloat16, BFloat16, float>(*kernel);
  }
}

TEST(Gemm, OfAnyRowsHasTheBitsThatTheyHaveAmongAll) {
  const std::int64_t m = 1100, n = 130, k = 800;
  const auto a = numbers({m, k}, 1, at::kFloat), b = numbers({n, k}, 2, at::kFloat);
  const Matrix<const float> right{b.const_data_ptr<float>(), k, Transpose::kYes};
  const auto rows = [&](std::int64_t first, std::int64_t count) {
    auto c = at::empty({count, n}, at::kFloat);
    gemm(count, n, k, 1, Matrix<const float>{a.const_data_ptr<float>() + first * k, k}, right, 0,
         Matrix<float>{c.mutable_data_ptr<float>(), n});
    return c;
  };
  const auto all = rows(0, m);
  for (const auto& [first, count] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {0, 1}, {5, 1}, {7, 30}, {1019, 3}, {0, 1021}})
    EXPECT_TRUE(same_bits(rows(first, count), all.narrow(0, first, count))) << first;
}

TEST(Gemm, WithAPackedMatrixHasTheSameBits) {
  for (const MicroKernel* kernel : micro_kernels())
    for (const auto& [m, n, k] : kShapes)
      for (const Transpose turn : kBoth) {
        const auto a = numbers({m, k}, 1, at::kFloat);
        const Stored<float> b(numbers({k, n}, 2, at::kFloat), turn);
        const Matrix<const float> left{a.const_data_ptr<float>(), k};
        auto direct = at::empty({m, n}, at::kFloat), packed = at::empty({m, n}, at::kFloat);
        gemm_with(*kernel, m, n, k, 1, left, b.read(), 0,
                  Matrix<float>{direct.mutable_data_ptr<float>(), n});
        PackedMatrix right(*kernel, k, n);
        right.pack(b.read());
        gemm(m, 1, left, right, 0, Matrix<float>{packed.mutable_data_ptr<float>(), n});
        EXPECT_TRUE(same_bits(packed, direct)) << kernel->name << " " << m << " " << n << " " << k;
      }
}

TEST(Gemm, TakesTheFastestOfTheInstructionSetsHere) {
  EXPECT_EQ(best_micro_kernel(UnitType::kFloat).unit, UnitType::kFloat);
  EXPECT_EQ(&best_micro_kernel(UnitType::kBFloat16Pair), micro_kernels().back());
}

}  // namespace
}  // namespace phalanx::kernels
