#pragma once

#include <cstdint>

#include "config/job.h"
#include "layout/partition.h"

namespace phalanx::layout {

// Bytes of an element: of `values`, what matrices and all that flows between layers are computed
// in; of `sums`, what gradients, the state, vectors and statistics of norms are kept in; of `wire`,
// what gradients of matrices travel as.
struct ElementBytes {
  std::int64_t values = 4, sums = 4, wire = 4;
};
inline ElementBytes element_bytes(const config::Job& job) {
  if (job.train.precision == "fp64") return {8, 8, job.parallel.gradient_wire == "bf16" ? 2 : 8};
  return {job.train.precision == "bf16" ? 2 : 4, 4, job.parallel.gradient_wire == "bf16" ? 2 : 4};
}

// What the gradients of a bucket travel as: vectors, which are few and may be counts, as they are.
inline std::int64_t wire_bytes(const Bucket& bucket, const ElementBytes& each) {
  return bucket.holds_matrices() ? each.wire : each.sums;
}

}  // namespace phalanx::layout
