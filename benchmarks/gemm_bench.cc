// Matrix products of training steps on one thread: ours beside LibTorch's, in turn within one run,
// and beside what the core does with multiply-adds alone. Prints a line of JSON per product: the
// median of each in GFLOP/s.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/native/CPUBlas.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "kernels/cpu/gemm/gemm.h"
#include "kernels/cpu/gemm/packed_matrix.h"
#include "kernels/peak.h"

namespace phalanx::kernels {
namespace {

// y [tokens, outputs] = x [tokens, inputs] * w [outputs, inputs]^T
struct Layer {
  const char* name;
  std::int64_t tokens, inputs, outputs;
};

constexpr Layer kLayers[] = {
    {"S, query, key and value", 1024, 512, 1024},
    {"S, attention's output", 1024, 512, 512},
    {"S, gate and up", 1024, 512, 2816},
    {"S, down", 1024, 1408, 512},
    {"S, head", 1024, 512, 8192},
    {"S, head, a quarter of the tokens", 256, 512, 8192},
    {"M, query, key and value", 512, 768, 2304},
    {"M, gate and up", 512, 768, 4096},
    {"M, down", 512, 2048, 768},
    {"M, head", 512, 768, 32000},
    {"M, head, a quarter of the tokens", 128, 768, 32000},
    {"one row", 1, 512, 2816},
    {"odd", 77, 513, 1001},
};

struct Contender {
  const char* name;
  std::function<void()> multiply;  // empty where it has no such product
};

// LibTorch's blocked kernel: c [rows, columns] = a [rows, depth] * b [depth, columns], or added to
// c, in blocks of 64 x 64, on operands that are packed beforehand: a as rows, b in panels of 64
// columns.
template <class T, class C>
class BlockedProduct {
 public:
  // None where an edge is not whole blocks.
  static std::optional<BlockedProduct> of(const at::Tensor& a, const at::Tensor& b) {
    if (a.size(0) % kBlock != 0 || a.size(1) % 2 != 0 || b.size(1) % kBlock != 0) return {};
    return BlockedProduct(a, b);
  }

  void multiply(C* c, bool add) {
    for (std::int64_t column = 0; column < columns_; column += kBlock)
      for (std::int64_t row = 0; row < rows_; row += kBlock)
        multiply_block(row, column, c + row * columns_ + column, add);
    at::native::cpublas::brgemm_release();
  }

 private:
  static constexpr std::int64_t kBlock = 64;
  static constexpr bool kPairs = !std::is_same_v<T, float>;

  BlockedProduct(const at::Tensor& a, const at::Tensor& b)
      : rows_(a.size(0)), depth_(a.size(1)), columns_(b.size(1)), a_(a.contiguous()) {
    const auto panels = b.view({depth_, columns_ / kBlock, kBlock}).transpose(0, 1);
    b_ = (kPairs ? panels.reshape({columns_ / kBlock, depth_ / 2, 2, kBlock}).transpose(2, 3)
                 : panels)
             .contiguous();
    sums_ = at::empty({kBlock, kBlock}, at::kFloat);
  }

  void multiply_block(std::int64_t row, std::int64_t column, C* to, bool add) {
    const T* const a = a_.template const_data_ptr<T>() + row * depth_;
    const T* const b = b_.template const_data_ptr<T>() + column * depth_;
    if constexpr (std::is_same_v<C, float>) {
      at::native::cpublas::brgemm(kBlock, kBlock, depth_, depth_, kBlock, columns_, add, a, b, to,
                                  kPairs);
    } else {
      float* const sums = sums_.mutable_data_ptr<float>();
      at::native::cpublas::brgemm(kBlock, kBlock, depth_, depth_, kBlock, kBlock, false, a, b, sums,
                                  kPairs);
      for (std::int64_t i = 0; i < kBlock; ++i)
        std::copy_n(sums + i * kBlock, kBlock, to + i * columns_);
    }
  }

  std::int64_t rows_, depth_, columns_;
  at::Tensor a_, b_, sums_;
};

template <class T>
class Products {
 public:
  explicit Products(const Layer& layer)
      : layer_(layer),
        x_(at::randn({layer.tokens, layer.inputs}, kType)),
        w_(at::randn({layer.outputs, layer.inputs}, kType)),
        dy_(at::randn({layer.tokens, layer.outputs}, kType)) {
    forward_.pack(w(Transpose::kYes));
    backward_.pack(w(Transpose::kNo));
  }

  // A list for each of y, dx and dw.
  std::vector<std::pair<const char*, std::vector<Contender>>> all() {
    const auto [_, tokens, inputs, outputs] = layer_;
    return {
        {"y = x wᵀ",
         {{"at::mm", [this] { at::mm_out(y_, x_, w_.t()); }},
          {"brgemm, packed", blocked(blocked_y_, y_, false)},
          {"ours",
           [=, this] {
             gemm(tokens, outputs, inputs, 1.f, x(), w(Transpose::kYes), 0.f, to(y_, outputs));
           }},
          {"ours, w packed",
           [=, this] { gemm(tokens, 1.f, x(), forward_, 0.f, to(y_, outputs)); }}}},
        {"dx = dy w",
         {{"at::mm", [this] { at::mm_out(dx_, dy_, w_); }},
          {"brgemm, packed", blocked(blocked_dx_, dx_, false)},
          {"ours",
           [=, this] {
             gemm(tokens, inputs, outputs, 1.f, dy(Transpose::kNo), w(Transpose::kNo), 0.f,
                  to(dx_, inputs));
           }},
          {"ours, w packed",
           [=, this] { gemm(tokens, 1.f, dy(Transpose::kNo), backward_, 0.f, to(dx_, inputs)); }}}},
        {"dw += dyᵀ x",
         {{"at::mm", [this] { at::addmm_out(dw_narrow_, dw_narrow_, dy_.t(), x_); }},
          {"brgemm, packed", blocked(blocked_dw_, dw_, true)},
          {"ours",
           [=, this] {
             gemm(outputs, inputs, tokens, 1.f, dy(Transpose::kYes), x(), 1.f,
                  Matrix<float>{dw_.mutable_data_ptr<float>(), inputs});
           }},
          {"ours, w packed", {}}}},
    };
  }

 private:
  template <class C>
  static std::function<void()> blocked(std::optional<BlockedProduct<T, C>>& product,
                                       at::Tensor& result, bool add) {
    if (!product) return {};
    return [&, add] { product->multiply(result.mutable_data_ptr<C>(), add); };
  }
  static const T* data(const at::Tensor& tensor) { return tensor.const_data_ptr<T>(); }
  static Matrix<T> to(const at::Tensor& tensor, std::int64_t row) {
    return {tensor.mutable_data_ptr<T>(), row};
  }
  Matrix<const T> x() const { return {data(x_), layer_.inputs}; }
  Matrix<const T> w(Transpose transpose) const { return {data(w_), layer_.inputs, transpose}; }
  Matrix<const T> dy(Transpose transpose) const { return {data(dy_), layer_.outputs, transpose}; }

  static constexpr auto kType = c10::CppTypeToScalarType<T>::value;

  Layer layer_;
  at::Tensor x_, w_, dy_;
  at::Tensor y_ = at::zeros_like(dy_), dx_ = at::zeros_like(x_), dw_narrow_ = at::zeros_like(w_);
  at::Tensor dw_ = at::zeros_like(w_, at::kFloat);
  const MicroKernel& kernel_ =
      best_micro_kernel(std::is_same_v<T, float> ? UnitType::kFloat : UnitType::kBFloat16Pair);
  PackedMatrix forward_{kernel_, layer_.inputs, layer_.outputs};
  PackedMatrix backward_{kernel_, layer_.outputs, layer_.inputs};
  std::optional<BlockedProduct<T, T>> blocked_y_ =
      BlockedProduct<T, T>::of(x_, w_.t().contiguous());
  std::optional<BlockedProduct<T, T>> blocked_dx_ = BlockedProduct<T, T>::of(dy_, w_);
  std::optional<BlockedProduct<T, float>> blocked_dw_ = BlockedProduct<T, float>::of(dy_.t(), x_);
};

double time_of(const std::function<void()>& multiply) {
  const auto begin = Clock::now();
  multiply();
  return seconds(Clock::now() - begin);
}

// Median seconds of each contender, 0 of one that has no such product; they take turns.
std::vector<double> measure(const std::vector<Contender>& contenders, double budget) {
  std::vector<std::vector<double>> times(contenders.size());
  for (const auto& [_, multiply] : contenders)
    if (multiply) multiply();
  const auto begin = Clock::now();
  for (int turn = 0; turn < 3 || seconds(Clock::now() - begin) < budget; ++turn)
    for (std::size_t i = 0; i < contenders.size(); ++i)
      if (contenders[i].multiply) times[i].push_back(time_of(contenders[i].multiply));
  std::vector<double> medians;
  for (auto& each : times) {
    std::ranges::sort(each);
    medians.push_back(each.empty() ? 0 : each[each.size() / 2]);
  }
  return medians;
}

template <class T>
void measure_layer(const char* type, const Layer& layer, double budget) {
  const double flops = 2.0 * static_cast<double>(layer.tokens * layer.inputs * layer.outputs);
  Products<T> products(layer);
  for (const auto& [what, contenders] : products.all()) {
    auto figures = nlohmann::ordered_json::object();
    const auto medians = measure(contenders, budget);
    for (std::size_t i = 0; i < medians.size(); ++i)
      if (medians[i] > 0) figures[contenders[i].name] = flops / medians[i] * 1e-9;
    figures["multiply-adds alone"] =
        peak_flops_per_second(c10::CppTypeToScalarType<T>::value) * 1e-9;
    std::cout << nlohmann::ordered_json{{"type", type},
                                        {"product", fmt::format("{} [{} x {} x {}], {}", layer.name,
                                                                layer.tokens, layer.inputs,
                                                                layer.outputs, what)},
                                        {"gflops", figures}}
              << std::endl;
  }
}

}  // namespace
}  // namespace phalanx::kernels

int main(int argc, char** argv) {
  CLI::App app{"Matrix products of training steps on one thread, in GFLOP/s"};
  double budget = 0.5;
  app.add_option("--seconds", budget, "for each product, all contenders together")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  at::set_num_threads(1);
  for (const auto& layer : phalanx::kernels::kLayers) {
    phalanx::kernels::measure_layer<float>("fp32", layer, budget);
    phalanx::kernels::measure_layer<c10::BFloat16>("bf16", layer, budget);
  }
}
