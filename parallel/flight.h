#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <utility>

#include "comm/work.h"

namespace phalanx::parallel {

// Rows on their way between all ranks, with the memory that they leave and come to.
struct Flight {
  at::Tensor from, to;
  comm::Work work;

  // Throws CommError.
  at::Tensor land() {
    work.wait(comm::DeviceStream{});
    return to;
  }
};

// Sends `count` parts of something away, computes with what comes in their place, and brings the
// results back: while one part is computed, the next and the results of the one before are on their
// way. Part by part:
//   leave(i)             starts it: a Flight
//   meanwhile()          once, while the first is on its way
//   at_last()            once, while the last results are on theirs
//   compute(i, Flight)   from what has arrived: the results
//   back(i, results)     starts them: a Flight
//   take(i, Flight)      the results at home
template <class Leave, class First, class Compute, class Back, class Take, class Last>
void there_and_back(std::size_t count, const Leave& leave, const First& meanwhile,
                    const Compute& compute, const Back& back, const Take& take,
                    const Last& at_last) {
  Flight going = leave(0), coming;
  meanwhile();
  for (std::size_t i = 0; i < count; ++i) {
    Flight here = std::exchange(going, {});
    if (i + 1 < count) going = leave(i + 1);
    const auto results = compute(i, std::move(here));
    if (i > 0) take(i - 1, std::exchange(coming, {}));
    coming = back(i, results);
  }
  at_last();
  take(count - 1, std::move(coming));
}

}  // namespace phalanx::parallel
