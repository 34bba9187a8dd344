#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

#include "kernels/cpu/small_product.h"

namespace phalanx::kernels {

constexpr std::int64_t kQueries = 64;  // rows of a tile
constexpr std::int64_t kKeys = 128;    // its columns: what lies between is summed in registers
constexpr std::int64_t kTileStride = cache_stride(kKeys);

// Scores of `rows` queries, the first of them at position `first_query`, against `keys` keys from
// position `first_key` on; row-major, kTileStride apart. A row sees keys [begin, end).
struct ScoreTile {
  std::int64_t first_query, rows, first_key, keys;
  const std::int64_t* first_visible;  // by row; null: 0

  std::int64_t begin(std::int64_t row) const {
    const std::int64_t first = first_visible == nullptr ? 0 : first_visible[row];
    return first < first_key ? 0 : first < first_key + keys ? first - first_key : keys;
  }
  std::int64_t end(std::int64_t row) const {
    const std::int64_t seen = first_query + row + 1 - first_key;
    return seen < 0 ? 0 : seen < keys ? seen : keys;
  }
};

// The block of queries' outputs so far, [rows, width], not yet divided by `sum`, and by row the
// largest score and the sum of e^(score - largest).
template <class T>
struct RunningOutput {
  Panel<T> out;
  std::int64_t width;
  T largest[kQueries], sum[kQueries];
};

// Scores times `scale` become e^(score - largest so far), zero where a row does not see; `running`
// takes them in and waits for the tile's part of `out`.
void softmax_tile(float* scores, float scale, RunningOutput<float>& running, const ScoreTile& tile);
void softmax_tile(double* scores, double scale, RunningOutput<double>& running,
                  const ScoreTile& tile);

// Scores become the probabilities p = e^(scale * score - log_sum_exp), and dp, the gradient of p,
// that of the scores: p * (dp - dot) * scale. Zero where a row does not see.
void softmax_backward_tile(float* scores, float* dp, const float* log_sum_exp, const float* dot,
                           float scale, const ScoreTile& tile);
void softmax_backward_tile(double* scores, double* dp, const double* log_sum_exp, const double* dot,
                           double scale, const ScoreTile& tile);

// dots[row] = the dot product of the rows of a and b, [rows, width].
void row_dots(Panel<const float> a, Panel<const float> b, std::int64_t rows, std::int64_t width,
              float* dots);
void row_dots(Panel<const double> a, Panel<const double> b, std::int64_t rows, std::int64_t width,
              double* dots);
void row_dots(Panel<const c10::BFloat16> a, Panel<const c10::BFloat16> b, std::int64_t rows,
              std::int64_t width, float* dots);

}  // namespace phalanx::kernels
