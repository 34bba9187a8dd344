// Matrix products of training steps on one thread: ours beside LibTorch's, in turn within one run,
// and beside what the core does with multiply-adds alone. Prints Markdown: GFLOP/s, the median and
// in brackets the worst.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/native/CPUBlas.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
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
    {"M, query, key and value", 512, 768, 2304},
    {"M, gate and up", 512, 768, 4096},
    {"M, down", 512, 2048, 768},
    {"M, head", 512, 768, 32000},
    {"one row", 1, 512, 2816},
    {"odd", 77, 513, 1001},
};

struct Contender {
  const char* name;
  std::function<void()> multiply;  // empty where it has no such product
};

// LibTorch's blocked kernel on operands that are packed beforehand: 64 columns a panel.
template <class T>
struct BlockedProduct {
  static constexpr std::int64_t kBlock = 64;
  static constexpr bool kPairs = !std::is_same_v<T, float>;
  std::int64_t tokens, inputs, outputs;
  at::Tensor panels, sums, result;

  BlockedProduct(const at::Tensor& x, const at::Tensor& w)
      : tokens(x.size(0)), inputs(x.size(1)), outputs(w.size(0)) {
    const auto columns = w.view({outputs / kBlock, kBlock, inputs}).transpose(1, 2);
    panels = (kPairs ? columns.reshape({outputs / kBlock, inputs / 2, 2, kBlock}).transpose(2, 3)
                     : columns)
                 .contiguous();
    sums = at::empty({kBlock, kBlock}, at::kFloat);
    result = at::empty({tokens, outputs}, x.scalar_type());
  }

  static bool takes(const Layer& layer) {
    return layer.tokens % kBlock == 0 && layer.inputs % 2 == 0 && layer.outputs % kBlock == 0;
  }

  void multiply(const T* x) {
    float* const block = sums.mutable_data_ptr<float>();
    T* const y = result.mutable_data_ptr<T>();
    for (std::int64_t column = 0; column < outputs; column += kBlock)
      for (std::int64_t row = 0; row < tokens; row += kBlock) {
        const T* const panel = panels.const_data_ptr<T>() + column * inputs;
        T* const to = y + row * outputs + column;
        if constexpr (kPairs) {
          at::native::cpublas::brgemm(kBlock, kBlock, inputs, inputs, kBlock, kBlock, false,
                                      x + row * inputs, panel, block, true);
          for (std::int64_t i = 0; i < kBlock; ++i)
            std::copy_n(block + i * kBlock, kBlock, to + i * outputs);
        } else {
          at::native::cpublas::brgemm(kBlock, kBlock, inputs, inputs, kBlock, outputs, false,
                                      x + row * inputs, panel, to, false);
        }
      }
    at::native::cpublas::brgemm_release();
  }
};

template <class T>
class Products {
 public:
  explicit Products(const Layer& layer) : layer_(layer) {
    const auto type = c10::CppTypeToScalarType<T>::value;
    x_ = at::randn({layer.tokens, layer.inputs}, type);
    w_ = at::randn({layer.outputs, layer.inputs}, type);
    dy_ = at::randn({layer.tokens, layer.outputs}, type);
    y_ = at::zeros_like(dy_);
    dx_ = at::zeros_like(x_);
    dw_ = at::zeros({layer.outputs, layer.inputs}, at::kFloat);
    dw_narrow_ = at::zeros_like(w_);
    forward_.pack(w(Transpose::kYes));
    backward_.pack(w(Transpose::kNo));
    if (BlockedProduct<T>::takes(layer)) blocked_.emplace(x_, w_);
  }

  // A list for each of y, dx and dw.
  std::vector<std::pair<const char*, std::vector<Contender>>> all() {
    const auto [_, tokens, inputs, outputs] = layer_;
    return {
        {"y = x wᵀ",
         {{"at::mm", [this] { at::mm_out(y_, x_, w_.t()); }},
          {"brgemm", blocked_ ? std::function<void()>([this] { blocked_->multiply(data(x_)); })
                              : std::function<void()>()},
          {"ours",
           [=, this] {
             gemm(tokens, outputs, inputs, 1.f, x(), w(Transpose::kYes), 0.f, to(y_, outputs));
           }},
          {"ours, packed", [=, this] { gemm(tokens, 1.f, x(), forward_, 0.f, to(y_, outputs)); }}}},
        {"dx = dy w",
         {{"at::mm", [this] { at::mm_out(dx_, dy_, w_); }},
          {"brgemm", {}},
          {"ours",
           [=, this] {
             gemm(tokens, inputs, outputs, 1.f, dy(Transpose::kNo), w(Transpose::kNo), 0.f,
                  to(dx_, inputs));
           }},
          {"ours, packed",
           [=, this] { gemm(tokens, 1.f, dy(Transpose::kNo), backward_, 0.f, to(dx_, inputs)); }}}},
        {"dw += dyᵀ x",
         {{"at::mm", [this] { at::addmm_out(dw_narrow_, dw_narrow_, dy_.t(), x_); }},
          {"brgemm", {}},
          {"ours",
           [=, this] {
             gemm(outputs, inputs, tokens, 1.f, dy(Transpose::kYes), x(), 1.f,
                  Matrix<float>{dw_.mutable_data_ptr<float>(), inputs});
           }},
          {"ours, packed", {}}}},
    };
  }

 private:
  static const T* data(const at::Tensor& tensor) { return tensor.const_data_ptr<T>(); }
  static Matrix<T> to(const at::Tensor& tensor, std::int64_t row) {
    return {tensor.mutable_data_ptr<T>(), row};
  }
  Matrix<const T> x() const { return {data(x_), layer_.inputs}; }
  Matrix<const T> w(Transpose transpose) const { return {data(w_), layer_.inputs, transpose}; }
  Matrix<const T> dy(Transpose transpose) const { return {data(dy_), layer_.outputs, transpose}; }

  Layer layer_;
  at::Tensor x_, w_, dy_, y_, dx_, dw_, dw_narrow_;
  const MicroKernel& kernel_ =
      best_micro_kernel(std::is_same_v<T, float> ? UnitType::kFloat : UnitType::kBFloat16Pair);
  PackedMatrix forward_{kernel_, layer_.inputs, layer_.outputs};
  PackedMatrix backward_{kernel_, layer_.outputs, layer_.inputs};
  std::optional<BlockedProduct<T>> blocked_;
};

double time_of(const std::function<void()>& multiply) {
  const auto begin = Clock::now();
  multiply();
  return seconds(Clock::now() - begin);
}

// Seconds of each contender, sorted; they take turns.
std::vector<std::vector<double>> measure(const std::vector<Contender>& contenders, double budget) {
  std::vector<std::vector<double>> times(contenders.size());
  for (const auto& [_, multiply] : contenders)
    if (multiply) multiply();
  const auto begin = Clock::now();
  for (int turn = 0; turn < 3 || seconds(Clock::now() - begin) < budget; ++turn)
    for (std::size_t i = 0; i < contenders.size(); ++i)
      if (contenders[i].multiply) times[i].push_back(time_of(contenders[i].multiply));
  for (auto& each : times) std::ranges::sort(each);
  return times;
}

template <class T>
void print_table(const char* type, double budget) {
  const double before = peak_flops_per_second(c10::CppTypeToScalarType<T>::value);
  std::vector<std::string> rows;
  for (const auto& layer : kLayers) {
    const double flops = 2.0 * static_cast<double>(layer.tokens * layer.inputs * layer.outputs);
    Products<T> products(layer);
    for (const auto& [what, contenders] : products.all()) {
      std::string row = fmt::format("| {} [{} x {} x {}], {} |", layer.name, layer.tokens,
                                    layer.inputs, layer.outputs, what);
      for (const auto& times : measure(contenders, budget))
        row += times.empty()
                   ? " |"
                   : fmt::format(" {:.0f} ({:.0f}) |", flops / times[times.size() / 2] * 1e-9,
                                 flops / times.back() * 1e-9);
      rows.push_back(std::move(row));
    }
  }
  const double after = peak_flops_per_second(c10::CppTypeToScalarType<T>::value);
  fmt::print("{}; multiply-adds alone {:.0f} GFLOP/s before, {:.0f} after:\n\n", type,
             before * 1e-9, after * 1e-9);
  fmt::print("| | at::mm | brgemm, packed | ours | ours, w packed |\n|---|---|---|---|---|\n{}\n\n",
             fmt::join(rows, "\n"));
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
  phalanx::kernels::print_table<float>("fp32", budget);
  phalanx::kernels::print_table<c10::BFloat16>("bf16", budget);
}
