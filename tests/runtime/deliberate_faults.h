#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/runtime/small_job.h"
#include "tests/runtime/watched_group.h"

namespace phalanx::runtime {

// Something that a runtime can get wrong without stopping, done to it from outside, in a layout in
// which it matters.
struct DeliberateFault {
  std::string name;
  // Where it is seen first (first_difference).
  std::string where;
  void (*layout)(config::Job& job);
  std::shared_ptr<const Fault> fault;  // of the communication, or
  void (*batches)(Rank& self, NumberedMicroBatches& batches) = nullptr;
  void (*step)(Rank& self, int step) = nullptr;
  void (*job)(int rank, config::Job& job) = nullptr;  // that the rank computes by
  void (*groups)(int rank, MeshGroups& groups) = nullptr;

  friend std::ostream& operator<<(std::ostream& out, const DeliberateFault& fault) {
    return out << fault.name;
  }
};

std::vector<DeliberateFault> deliberate_faults();

}  // namespace phalanx::runtime
