#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "base/memory_file.h"
#include "comm/native/communicator.h"
#include "comm/native/node_memory.h"

namespace phalanx {

// Runs `body(rank, communicator)` on each rank of a generation of the backend native: threads of
// this process, each on the (emulated) node given for it. `bytes`: of memory that a rank can
// register.
template <class Body>
void on_communicators(const std::vector<int>& nodes, std::size_t bytes, const Body& body) {
  std::map<int, int> ranks_of_node;
  for (const int node : nodes) ++ranks_of_node[node];
  std::map<int, FileDescriptor> memories;
  for (const auto& [node, ranks] : ranks_of_node)
    memories[node] = create_memory_file("test", comm::node_memory_bytes(ranks, bytes));
  std::vector<comm::Listener> listeners;
  std::vector<comm::Peer> peers;
  for (std::size_t rank = 0; rank < nodes.size(); ++rank) {
    listeners.emplace_back("127.0.0.1");
    peers.push_back({static_cast<int>(rank), nodes[rank], "127.0.0.1", listeners.back().port()});
  }
  std::vector<std::jthread> threads;
  for (std::size_t index = 0; index < nodes.size(); ++index)
    threads.emplace_back([&, index] {
      const auto rank = static_cast<int>(index);
      comm::Membership membership;
      membership.generation = 1;
      membership.rank = rank;
      membership.peers = peers;
      membership.secret = "secret";
      membership.deadline = std::chrono::seconds(60);
      membership.node_memory = memories.at(nodes[index]).duplicate();
      const auto communicator =
          comm::make_native_communicator(std::move(membership), listeners[index]);
      body(rank, *communicator);
    });
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
