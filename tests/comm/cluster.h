#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/memory_file.h"
#include "comm/communicator.h"

namespace phalanx::comm {

// What a test asks of a generation of real processes.
struct ClusterPlan {
  std::string backend = "native";
  std::string scenario;
  std::vector<int> nodes;  // of each rank
  nlohmann::json arguments = nlohmann::json::object();
  int deadline_ms = 60'000;
  std::map<int, std::string> secrets = {};  // of ranks that have another one
  std::size_t bytes_per_rank = 64 << 20;
  std::string plugins = PLUGINS;  // the folder of the backend's, if it is one
  LinkSpeed link = {};
  std::vector<std::pair<std::string, std::string>> environment = {};  // added to ours
};

// Runs one process (comm_rank) per rank, and is their keeper.
class Cluster {
 public:
  explicit Cluster(ClusterPlan plan);
  ~Cluster();

  void announce_generation(const std::vector<int>& processes);  // these are its ranks 0, 1, ...
  void go(int rank);
  void await_mark(int rank);
  nlohmann::json result(int rank);  // what the scenario returned, or {"ended": how}
  std::vector<nlohmann::json> results(const std::vector<int>& ranks);
  std::vector<nlohmann::json> results();

  pid_t pid(int rank) const { return processes_[static_cast<std::size_t>(rank)].pid; }
  std::uint16_t port(int rank) const { return processes_[static_cast<std::size_t>(rank)].port; }
  std::span<std::byte> node_memory(int node) { return memories_.at(node)->bytes(); }
  std::span<std::byte> black_box(int rank) { return boxes_.at(rank)->bytes(); }
  std::vector<int> others(int rank) const;

 private:
  struct Process {
    pid_t pid = -1;
    FrameChannel channel;
    std::uint16_t port = 0;
    bool done = false;  // has said its result
  };
  void start_alone();
  void start_by_mpirun();
  nlohmann::json receive(int rank);

  ClusterPlan plan_;
  std::uint64_t generation_ = 0;
  std::vector<Process> processes_;
  pid_t mpirun_ = 0;  // the parent of the processes, where the backend wants that
  std::map<int, std::unique_ptr<MemoryMapping>> memories_, boxes_;
};

// Starts the processes and their first generation.
std::unique_ptr<Cluster> start(ClusterPlan plan);

// A rank of a test reported this failure.
void expect_error(const nlohmann::json& result, CommError::Kind kind, int peer);
void expect_no_complaints(const std::vector<nlohmann::json>& results);

}  // namespace phalanx::comm
