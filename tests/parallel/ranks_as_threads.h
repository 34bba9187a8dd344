#pragma once

#include <memory>
#include <numeric>
#include <vector>

#include "comm/native/thread_ranks.h"

namespace phalanx {

constexpr auto kRanksDeadline = std::chrono::seconds(60);

// comm::on_thread_ranks.
template <class Body>
void on_communicators(const std::vector<int>& nodes, std::size_t bytes, const Body& body) {
  comm::on_thread_ranks(nodes, bytes, kRanksDeadline, body);
}

// The same with `body(group)`, of all ranks.
template <class Body>
void on_ranks(const std::vector<int>& nodes, std::size_t bytes, const Body& body) {
  std::vector<int> everybody(nodes.size());
  std::iota(everybody.begin(), everybody.end(), 0);
  on_communicators(nodes, bytes, [&](int, comm::Communicator& communicator) {
    body(communicator.make_group(everybody));
  });
}

}  // namespace phalanx
