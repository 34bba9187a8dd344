#pragma once

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <vector>

#include "base/memory_file.h"
#include "comm/native/communicator.h"
#include "comm/native/node_memory.h"

namespace phalanx::parallel::test {

// A process that has had threads of OpenMP cannot give them to its children: who forks has none.
inline const bool kOneThread = (at::set_num_threads(1), true);

// Runs `body` in `ranks` processes, `ranks_per_node` of them on each node, that form one group.
// What a body expects in vain, or throws, fails the test.
inline void on_ranks(int ranks, int ranks_per_node,
                     const std::function<void(const std::shared_ptr<comm::Group>&)>& body) {
  std::vector<std::unique_ptr<comm::Listener>> listeners;
  std::vector<FileDescriptor> memories;
  comm::Membership membership;
  membership.generation = 1;
  membership.secret = "secret";
  membership.deadline = std::chrono::seconds(60);
  for (int rank = 0; rank < ranks; ++rank) {
    listeners.push_back(std::make_unique<comm::Listener>("127.0.0.1"));
    membership.peers.push_back(
        {rank, rank / ranks_per_node, "127.0.0.1", listeners.back()->port()});
    if (rank % ranks_per_node == 0)
      memories.push_back(
          create_memory_file("test", comm::node_memory_bytes(ranks_per_node, 64 << 20)));
  }
  const auto run = [&](int rank) {
    membership.rank = rank;
    membership.node_memory = memories[static_cast<std::size_t>(rank / ranks_per_node)].duplicate();
    const auto communicator = comm::make_native_communicator(
        std::move(membership), *listeners[static_cast<std::size_t>(rank)]);
    std::vector<int> all(static_cast<std::size_t>(ranks));
    std::iota(all.begin(), all.end(), 0);
    const auto group = communicator->make_group(all);
    body(group);
    group->barrier().wait();
  };

  std::vector<pid_t> processes;
  std::fflush(nullptr);
  for (int rank = 0; rank < ranks; ++rank) {
    processes.push_back(::fork());
    if (processes.back() != 0) continue;
    try {
      run(rank);
    } catch (const std::exception& error) {
      ADD_FAILURE() << "rank " << rank << ": " << error.what();
    }
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  for (int rank = 0; rank < ranks; ++rank) {
    int status = 0;
    ::waitpid(processes[static_cast<std::size_t>(rank)], &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "rank " << rank;
  }
}

}  // namespace phalanx::parallel::test
