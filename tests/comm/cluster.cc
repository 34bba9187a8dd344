#include "cluster.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "base/process.h"
#include "base/socket.h"
#include "comm/backend.h"
#include "comm/native/node_memory.h"
#include "protocol/black_box.h"

namespace phalanx::comm {

using nlohmann::json;

Cluster::Cluster(ClusterPlan plan) : plan_(std::move(plan)) {
  const std::filesystem::path plugins[] = {plan_.plugins};
  if (find_backend(plan_.backend, plugins).start == Backend::Start::kMpirun)
    start_by_mpirun();
  else
    start_alone();
  for (int rank = 0; rank < static_cast<int>(processes_.size()); ++rank)
    processes_[static_cast<std::size_t>(rank)].port = receive(rank).at("port");
}

void Cluster::start_alone() {
  for (std::size_t rank = 0; rank < plan_.nodes.size(); ++rank) {
    auto [ours, theirs] = socket_pair();
    Command command;
    command.program = COMM_RANK;
    command.arguments = {plan_.backend, plan_.scenario, plan_.plugins};
    command.descriptors = {{3, theirs.get()}};
    command.death_signal = SIGKILL;
    command.environment = plan_.environment;
    processes_.push_back({start_process(command), FrameChannel(std::move(ours))});
  }
}

void Cluster::start_by_mpirun() {
  static int clusters = 0;
  const std::string name = fmt::format("comm-test-{}-{}", ::getpid(), ++clusters);
  const FileDescriptor listener = listen_local(name);
  Command command;
  command.program = find_program("mpirun");
  command.arguments = {"--allow-run-as-root",
                       "--oversubscribe",
                       "--bind-to",
                       "none",
                       "--mca",
                       "mpi_yield_when_idle",
                       "1",
                       "-n",
                       std::to_string(plan_.nodes.size()),
                       COMM_RANK,
                       plan_.backend,
                       plan_.scenario,
                       plan_.plugins,
                       name};
  command.death_signal = SIGTERM;
  mpirun_ = start_process(command);
  processes_.resize(plan_.nodes.size());
  for (std::size_t come = 0; come < processes_.size(); ++come) {
    auto connection = accept_local(listener, Clock::now() + std::chrono::minutes(1));
    if (!connection) throw SystemError("mpirun: expected all ranks to come within 60 s");
    const pid_t pid = peer_process(connection);
    FrameChannel channel(std::move(connection));
    Frame frame;
    channel.receive(frame, Clock::now() + std::chrono::minutes(1));
    processes_.at(json::parse(frame.payload).at("rank")) = {pid, std::move(channel)};
  }
}

Cluster::~Cluster() {
  if (mpirun_ == 0) {
    for (const Process& process : processes_) ::kill(process.pid, SIGKILL);
    for (const Process& process : processes_) wait_for(process.pid);
    return;
  }
  // Those that have said their result take leave of each other and end, and mpirun with them.
  for (const Process& process : processes_)
    if (!process.done) ::kill(process.pid, SIGKILL);
  wait_for(mpirun_);
}

void Cluster::announce_generation(const std::vector<int>& processes) {
  ++generation_;
  std::map<int, int> ranks_of_node;
  json peers = json::array();
  for (const int process : processes) {
    const int node = plan_.nodes[static_cast<std::size_t>(process)];
    peers.push_back({{"node", node},
                     {"slot", ranks_of_node[node]++},
                     {"host", "127.0.0.1"},
                     {"port", port(process)}});
  }
  std::map<int, FileDescriptor> memories;
  for (const auto& [node, ranks] : ranks_of_node) {
    memories[node] = create_memory_file("node", node_memory_bytes(ranks, plan_.bytes_per_rank));
    memories_[node] = std::make_unique<MemoryMapping>(memories[node]);
  }
  for (int rank = 0; rank < static_cast<int>(processes.size()); ++rank) {
    const int process = processes[static_cast<std::size_t>(rank)];
    const auto box = create_memory_file("box", protocol::kBlackBoxBytes);
    boxes_[process] = std::make_unique<MemoryMapping>(box);
    const auto other = plan_.secrets.find(process);
    const json roster{{"generation", generation_},
                      {"rank", rank},
                      {"secret", other == plan_.secrets.end() ? "the secret" : other->second},
                      {"deadline_ms", plan_.deadline_ms},
                      {"bytes_per_second", plan_.link.bytes_per_second},
                      {"latency", seconds(plan_.link.latency)},
                      {"peers", peers},
                      {"arguments", plan_.arguments}};
    const int node = plan_.nodes[static_cast<std::size_t>(process)];
    EXPECT_TRUE(processes_[static_cast<std::size_t>(process)].channel.send(
        roster.dump(), {memories[node].get(), box.get()}));
  }
}

json Cluster::receive(int rank) {
  Frame frame;
  auto& channel = processes_[static_cast<std::size_t>(rank)].channel;
  switch (channel.receive(frame, Clock::now() + std::chrono::minutes(4))) {
    case FrameChannel::Status::kFrame:
      return json::parse(frame.payload);
    case FrameChannel::Status::kEnd:
      return {{"result", {{"ended", "rank " + std::to_string(rank) + " has gone"}}}};
    case FrameChannel::Status::kNothingYet:
      break;
  }
  return {{"result", {{"hangs", "rank " + std::to_string(rank) + " says nothing"}}}};
}

void Cluster::go(int rank) {
  EXPECT_TRUE(processes_[static_cast<std::size_t>(rank)].channel.send(R"({"go": true})"));
}

void Cluster::await_mark(int rank) {
  const json message = receive(rank);
  EXPECT_TRUE(message.contains("mark")) << message.dump();
}

json Cluster::result(int rank) {
  json message = receive(rank);
  while (message.contains("mark")) message = receive(rank);
  processes_[static_cast<std::size_t>(rank)].done = true;
  return message.at("result");
}

std::vector<json> Cluster::results(const std::vector<int>& ranks) {
  std::vector<json> found;
  for (const int rank : ranks) found.push_back(result(rank));
  return found;
}

std::vector<json> Cluster::results() { return results(others(-1)); }

std::vector<int> Cluster::others(int rank) const {
  std::vector<int> found;
  for (int other = 0; other < static_cast<int>(processes_.size()); ++other)
    if (other != rank) found.push_back(other);
  return found;
}

std::unique_ptr<Cluster> start(ClusterPlan plan) {
  auto cluster = std::make_unique<Cluster>(std::move(plan));
  cluster->announce_generation(cluster->others(-1));
  return cluster;
}

void expect_error(const json& result, CommError::Kind kind, int peer) {
  ASSERT_TRUE(result.contains("comm_error")) << result.dump(2);
  EXPECT_EQ(result["comm_error"]["kind"], static_cast<int>(kind)) << result.dump(2);
  EXPECT_EQ(result["comm_error"]["peer"], peer) << result.dump(2);
}

void expect_no_complaints(const std::vector<json>& results) {
  for (const json& result : results) {
    ASSERT_TRUE(result.contains("complaints")) << result.dump(2);
    EXPECT_GT(result["compared"], 0);
    EXPECT_TRUE(result["complaints"].empty()) << result.dump(2);
  }
}

}  // namespace phalanx::comm
