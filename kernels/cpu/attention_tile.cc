#include "kernels/cpu/attention_tile.h"

#include <algorithm>

#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE void zero_unseen(T* row, std::int64_t begin, std::int64_t end, std::int64_t keys) {
  std::fill(row, row + begin, T(0));
  std::fill(row + end, row + keys, T(0));
}

template <class T>
PHALANX_INLINE void rescale(T* row, T factor, std::int64_t width) {
#pragma omp simd
  for (std::int64_t i = 0; i < width; ++i) row[i] *= factor;
}

template <class T>
PHALANX_INLINE void forward(T* row, T scale, RunningOutput<T>& running, const ScoreTile& tile) {
  for (std::int64_t r = 0; r < tile.rows; ++r, row += kTileStride) {
    const std::int64_t begin = tile.begin(r), end = std::max(begin, tile.end(r));
    zero_unseen(row, begin, end, tile.keys);
    if (begin == end) continue;
    T largest = row[begin], sum = 0;
#pragma omp simd reduction(max : largest)
    for (std::int64_t i = begin; i < end; ++i) largest = largest > row[i] ? largest : row[i];
    const T before = running.largest[r];
    largest = before > largest * scale ? before : largest * scale;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) {
      row[i] = exponential(row[i] * scale - largest);
      sum += row[i];
    }
    const T factor = exponential(before - largest);
    if (factor != T(1)) rescale(running.out.data + r * running.out.stride, factor, running.width);
    running.sum[r] = running.sum[r] * factor + sum;
    running.largest[r] = largest;
  }
}

template <class T>
PHALANX_INLINE void backward(T* row, T* dp, const T* log_sum_exp, const T* dot, T scale,
                             const ScoreTile& tile) {
  for (std::int64_t r = 0; r < tile.rows; ++r, row += kTileStride, dp += kTileStride) {
    const std::int64_t begin = tile.begin(r), end = std::max(begin, tile.end(r));
    zero_unseen(row, begin, end, tile.keys);
    zero_unseen(dp, begin, end, tile.keys);
    const T shift = log_sum_exp[r], along = dot[r];
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
      row[i] = exponential(row[i] * scale - shift);
      dp[i] = row[i] * (dp[i] - along) * scale;
    }
  }
}

template <class T>
PHALANX_INLINE void dots_of(Panel<const T> a, Panel<const T> b, std::int64_t rows,
                            std::int64_t width, T* dots) {
  for (std::int64_t r = 0; r < rows; ++r, a.data += a.stride, b.data += b.stride) {
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < width; ++i) sum += a.data[i] * b.data[i];
    dots[r] = sum;
  }
}

PHALANX_VECTORIZED void run(float* scores, float scale, RunningOutput<float>& running,
                            const ScoreTile& tile) {
  forward(scores, scale, running, tile);
}
PHALANX_VECTORIZED void run(float* scores, float* dp, const float* log_sum_exp, const float* dot,
                            float scale, const ScoreTile& tile) {
  backward(scores, dp, log_sum_exp, dot, scale, tile);
}
PHALANX_VECTORIZED void run(Panel<const float> a, Panel<const float> b, std::int64_t rows,
                            std::int64_t width, float* dots) {
  dots_of(a, b, rows, width, dots);
}
PHALANX_VECTORIZED void run(double* scores, double scale, RunningOutput<double>& running,
                            const ScoreTile& tile) {
  forward(scores, scale, running, tile);
}
PHALANX_VECTORIZED void run(double* scores, double* dp, const double* log_sum_exp,
                            const double* dot, double scale, const ScoreTile& tile) {
  backward(scores, dp, log_sum_exp, dot, scale, tile);
}
PHALANX_VECTORIZED void run(Panel<const double> a, Panel<const double> b, std::int64_t rows,
                            std::int64_t width, double* dots) {
  dots_of(a, b, rows, width, dots);
}

}  // namespace

void softmax_tile(float* scores, float scale, RunningOutput<float>& running,
                  const ScoreTile& tile) {
  run(scores, scale, running, tile);
}
void softmax_backward_tile(float* scores, float* dp, const float* log_sum_exp, const float* dot,
                           float scale, const ScoreTile& tile) {
  run(scores, dp, log_sum_exp, dot, scale, tile);
}
void row_dots(Panel<const float> a, Panel<const float> b, std::int64_t rows, std::int64_t width,
              float* dots) {
  run(a, b, rows, width, dots);
}
void softmax_tile(double* scores, double scale, RunningOutput<double>& running,
                  const ScoreTile& tile) {
  run(scores, scale, running, tile);
}
void softmax_backward_tile(double* scores, double* dp, const double* log_sum_exp, const double* dot,
                           double scale, const ScoreTile& tile) {
  run(scores, dp, log_sum_exp, dot, scale, tile);
}
void row_dots(Panel<const double> a, Panel<const double> b, std::int64_t rows, std::int64_t width,
              double* dots) {
  run(a, b, rows, width, dots);
}

}  // namespace phalanx::kernels
