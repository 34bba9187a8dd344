#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace phalanx::fake_worker {

// How a fake worker is to misbehave: "NODE.SLOT:ORDER[=STEP],..." after "fake_worker:" in the job,
// or in the environment's PHALANX_FAKE_WORKER. Orders with a step are for generation 1;
// die_at is for every one.
//   exit_at=K     ends with exit status 3 at step K        die_at=K   the same, whenever it comes
//   there kill_at=K     SIGKILLs itself                          stop_at=K  SIGSTOPs itself: no
//   heartbeat either hang_at=K     goes on living, but does nothing         fail_at=K  reports
//   Failed garbage_at=K  sends a frame that is no message         noise_at=K sends a packet that is
//   no frame exit_at_start                                          never_leave  takes no notice of
//   Leave
class Orders {
 public:
  Orders(const std::string& job, int node, int slot);

  bool has(const std::string& order) const { return orders_.contains(order); }
  bool due(const std::string& order, std::int64_t step) const {
    const auto found = orders_.find(order);
    return found != orders_.end() && found->second == step;
  }

 private:
  std::map<std::string, std::int64_t> orders_;
};

// The number after "KEY:" in the job; `otherwise` when it names none.
std::int64_t number_in(const std::string& job, const std::string& key, std::int64_t otherwise);

}  // namespace phalanx::fake_worker
