// Measures all_reduce of a backend: one process per rank, buffers in registered memory. Starts the
// ranks itself, or is one of them where the backend needs mpirun (`mpirun -n N ... --ranks N`).
// Prints a line of JSON per size: times in microseconds of the slowest rank per repetition; bus
// bandwidth is 2 (n-1)/n bytes / median time, as nccl-tests defines it.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/memory_file.h"
#include "base/process.h"
#include "comm/backend.h"
#include "comm/native/node_memory.h"
#include "comm/plugin.h"

namespace phalanx::comm {
namespace {

struct Options {
  std::string backend = "native";
  int ranks = 2;
  int nodes = 1;
  std::vector<std::size_t> bytes{4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20};
  std::string memory = "registered";
  std::string type = "fp32";
};

// What the processes share to find each other and to count the slowest.
struct Shared {
  std::atomic<int> listening;
  std::atomic<std::uint16_t> ports[256];
};

std::size_t repetitions(std::size_t bytes) {
  return std::clamp<std::size_t>((std::size_t{256} << 20) / std::max<std::size_t>(bytes, 1), 9,
                                 2000);
}

int ranks_per_node(const Options& options) {
  return (options.ranks + options.nodes - 1) / options.nodes;
}

// `port_of(peer)`: where the rank `peer` is reached.
template <typename PortOf>
Membership membership_of(const Options& options, int rank, PortOf port_of) {
  Membership membership;
  membership.generation = 1;
  membership.rank = rank;
  membership.secret = "benchmark";
  membership.deadline = std::chrono::seconds(60);
  for (int peer = 0; peer < options.ranks; ++peer)
    membership.peers.push_back({peer, peer / ranks_per_node(options), "127.0.0.1", port_of(peer)});
  return membership;
}

void report(const Options& options, std::size_t bytes, std::vector<float> times,
            double back_to_back) {
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  const double n = options.ranks;
  std::cout << nlohmann::json{{"backend", options.backend},
                              {"ranks", options.ranks},
                              {"nodes", options.nodes},
                              {"bytes", bytes},
                              {"memory", options.memory},
                              {"type", options.type},
                              {"median_us", median},
                              {"best_us", times.front()},
                              {"worst_us", times.back()},
                              {"back_to_back_us", back_to_back},
                              {"bus_GBps",
                               2 * (n - 1) / n * static_cast<double>(bytes) / median / 1e3},
                              {"repetitions", times.size()}}
            << std::endl;
}

ElementType type_of(const std::string& name) {
  for (const ElementType type : kAllTypes)
    if (name == element_type_name(type)) return type;
  throw Error("no element type " + name);
}

void measure(const Options& options, Group& group, std::size_t bytes) {
  const ElementType type = type_of(options.type);
  std::vector<std::byte> heap(options.memory == "heap" ? bytes : 0);
  void* const memory = heap.empty() ? group.allocate(bytes).data() : heap.data();
  const Buffer data(memory, bytes / element_size(type), type);
  const std::size_t warm_up = 3, timed = repetitions(bytes);
  std::vector<float> times(timed);
  for (std::size_t i = 0; i < warm_up + timed; ++i) {
    group.barrier().wait();
    const auto begin = Clock::now();
    group.all_reduce(data).wait();
    if (i >= warm_up) times[i - warm_up] = static_cast<float>(seconds(Clock::now() - begin) * 1e6);
  }
  group.barrier().wait();
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < timed; ++i) group.all_reduce(data).wait();
  const double back_to_back = seconds(Clock::now() - begin) * 1e6 / static_cast<double>(timed);
  std::vector<float> everybody(timed * static_cast<std::size_t>(group.size()));
  group.all_gather(times, everybody).wait();
  for (std::size_t i = 0; i < everybody.size(); ++i)
    times[i % timed] = std::max(times[i % timed], everybody[i]);
  if (group.rank() == 0) report(options, bytes, times, back_to_back);
}

// A core for each rank where there are enough, as mpirun binds them.
void bind_to_core(const Options& options, int rank) {
  cpu_set_t all, own;
  CPU_ZERO(&own);
  if (::sched_getaffinity(0, sizeof all, &all) != 0 || options.ranks > CPU_COUNT(&all)) return;
  int core = 0;
  for (int free = rank; !CPU_ISSET(core, &all) || free-- > 0;) ++core;
  CPU_SET(core, &own);
  (void)::sched_setaffinity(0, sizeof own, &own);
}

void measure_all(const Options& options, Endpoint& endpoint, Membership membership) {
  bind_to_core(options, membership.rank);
  const auto communicator = endpoint.join(std::move(membership));
  std::vector<int> everybody(static_cast<std::size_t>(options.ranks));
  for (int peer = 0; peer < options.ranks; ++peer) everybody[static_cast<std::size_t>(peer)] = peer;
  const auto group = communicator->make_group(everybody);
  for (const std::size_t bytes : options.bytes) measure(options, *group, bytes);
}

int run_rank(const Options& options, const Backend& backend, int rank, Shared& shared,
             const std::vector<FileDescriptor>& memories) {
  const auto endpoint = backend.open("127.0.0.1");
  shared.ports[rank].store(endpoint->port());
  shared.listening.fetch_add(1);
  const auto deadline = Clock::now() + std::chrono::seconds(20);
  while (shared.listening.load() < options.ranks && Clock::now() < deadline) ::usleep(100);
  auto membership =
      membership_of(options, rank, [&](int peer) { return shared.ports[peer].load(); });
  membership.node_memory =
      memories[static_cast<std::size_t>(rank / ranks_per_node(options))].duplicate();
  measure_all(options, *endpoint, std::move(membership));
  return 0;
}

// mpirun has started all ranks, and MPI knows each by its number.
int run_under_mpirun(const Options& options, const Backend& backend) {
  const auto endpoint = backend.open("127.0.0.1");
  measure_all(options, *endpoint, membership_of(options, endpoint->port(), [](int peer) {
                return static_cast<std::uint16_t>(peer);
              }));
  endpoint->leave();
  return 0;
}

int start_ranks(const Options& options, const Backend& backend) {
  const auto file = create_memory_file("benchmark", sizeof(Shared));
  const MemoryMapping mapping(file);
  auto& shared = *reinterpret_cast<Shared*>(mapping.bytes().data());
  std::size_t arena = 8 << 20;
  for (const std::size_t bytes : options.bytes) arena += bytes + 64;
  const int per_node = ranks_per_node(options);
  std::vector<FileDescriptor> memories;
  for (int node = 0; node < options.nodes; ++node) {
    const int here = std::min(per_node, options.ranks - node * per_node);
    memories.push_back(create_memory_file("node", node_memory_bytes(here, arena)));
  }
  for (int rank = 0; rank < options.ranks; ++rank)
    if (::fork() == 0) ::_exit(run_rank(options, backend, rank, shared, memories));
  int failures = 0, status = 0;
  while (::wait(&status) > 0) failures += status != 0;
  return failures == 0 ? 0 : 1;
}

int run(const Options& options) {
  const Backend& backend = find_backend(options.backend, plugin_folders(self_program()));
  return backend.start == Backend::Start::kMpirun ? run_under_mpirun(options, backend)
                                                  : start_ranks(options, backend);
}

}  // namespace
}  // namespace phalanx::comm

int main(int count, char** arguments) {
  phalanx::comm::Options options;
  CLI::App app("Measures all_reduce of a backend");
  app.add_option("--backend", options.backend, "native, or mpi under mpirun");
  app.add_option("--ranks", options.ranks, "processes")->check(CLI::Range(1, 256));
  app.add_option("--nodes", options.nodes, "emulated nodes, with TCP between them")
      ->check(CLI::Range(1, 256));
  app.add_option("--bytes", options.bytes, "sizes of the data, in bytes");
  app.add_option("--memory", options.memory, "where the data is")
      ->check(CLI::IsMember({"registered", "heap"}));
  app.add_option("--type", options.type, "of the elements")
      ->check(CLI::IsMember({"fp32", "fp64", "bf16", "fp16", "int32", "int64", "uint8"}));
  CLI11_PARSE(app, count, arguments);
  return phalanx::comm::run(options);
}
