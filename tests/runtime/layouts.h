#pragma once

#include "tests/runtime/layout_cases.h"
#include "tests/runtime/small_job.h"

namespace phalanx::runtime {

// A layout of the small job, in fp64: what holds in all of them (layouts.cc).
class Layouts : public SmallJob, public testing::WithParamInterface<LayoutCase> {
 protected:
  Layouts();
};
class LayoutsOnNodes : public Layouts {};

// Those of `cases` whose ranks two nodes can share.
std::vector<LayoutCase> of_even_ranks(std::vector<LayoutCase> cases);

}  // namespace phalanx::runtime
