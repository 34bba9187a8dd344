#include "runtime/local_ranks.h"

#include <ATen/Parallel.h>

#include "comm/native/thread_ranks.h"
#include "layout/registered_memory.h"

namespace phalanx::runtime {
namespace {

constexpr auto kDeadline = std::chrono::minutes(10);

void run_rank(const config::Job& job, int rank, comm::Communicator& communicator,
              const std::function<void(LocalRank&)>& body) {
  at::set_num_threads(static_cast<int>(job.launch.threads_per_rank));
  const TrainingData data(job);
  ModelState state(job, rank);
  state.initialize();
  const auto groups = make_mesh_groups(communicator, state);
  protocol::BlackBox black_box{};
  PhaseClock phases(black_box);
  Stepper stepper(job, state, data, groups, phases);
  LocalRank self{rank, state, groups, stepper};
  body(self);
  groups.world->barrier().wait();
}

}  // namespace

void on_local_ranks(const config::Job& job, const std::function<void(LocalRank&)>& body) {
  std::vector<int> nodes;
  for (int rank = 0; rank < job.ranks(); ++rank)
    nodes.push_back(rank / static_cast<int>(job.launch.ranks_per_node));
  comm::on_thread_ranks(
      nodes, layout::registered_bytes(job), kDeadline,
      [&](int rank, comm::Communicator& communicator) { run_rank(job, rank, communicator, body); });
}

}  // namespace phalanx::runtime
