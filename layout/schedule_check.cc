#include "layout/schedule_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "layout/schedule_check_rank.h"
#include "layout/schedule_walk.h"

namespace phalanx::layout {
namespace {

bool ends(const Schedule& schedule, std::size_t capacity) {
  ScheduleWalk walk(schedule, capacity);
  walk.run();
  return walk.finished();
}

void check_deadlock(const Schedule& schedule, Proof& proof) {
  ScheduleWalk walk(schedule);
  walk.run();
  for (int rank = 0; rank < schedule.rank_count(); ++rank) {
    const auto& list = schedule.ranks[static_cast<std::size_t>(rank)];
    const auto position = walk.position(rank);
    if (position == list.size()) continue;
    const auto& operation = list[position];
    const auto message = walk.next_message(rank);
    proof.findings.push_back(
        {Rule::kNoDeadlock, rank,
         fmt::format("waits for ever at operation {}, {} from rank {}: {}", position,
                     text(operation), schedule.peer(rank, operation),
                     message.micro_batch < 0 ? "nothing comes"
                                             : "the next message is the " + text(message))});
  }
}

void check_memory(const Schedule& schedule, const MemoryBound& bound, Proof& proof) {
  const auto stages = bound.stages.empty()
                          ? std::vector<StageMemory>(static_cast<std::size_t>(schedule.stages()))
                          : bound.stages;
  proof.peak_activations = peak_activations(schedule, stages);
  for (std::size_t rank = 0; rank < proof.peak_activations.size(); ++rank)
    if (proof.peak_activations[rank] > bound.most)
      proof.findings.push_back({Rule::kMemory, static_cast<int>(rank),
                                fmt::format("expected to hold activations of at most {}, found {}",
                                            bound.most, proof.peak_activations[rank])});
}

}  // namespace

// Sends of a schedule that ends without bounds are finite, so some capacity is enough.
std::size_t channel_capacity(const Schedule& schedule) {
  std::size_t capacity = 0;
  while (!ends(schedule, capacity)) ++capacity;
  return capacity;
}

Proof check_schedule(const Schedule& schedule, const MemoryBound& bound) {
  Proof proof;
  for (int rank = 0; rank < schedule.rank_count(); ++rank) {
    if (!check_complete_and_ordered(schedule, rank, proof.findings)) return proof;
    check_gradients(schedule, rank, proof.findings);
    proof.peak_gathered.push_back(check_parameters(schedule, rank, proof.findings));
  }
  check_deadlock(schedule, proof);
  check_memory(schedule, bound, proof);
  if (proof.proven()) proof.channel_capacity = channel_capacity(schedule);
  return proof;
}

}  // namespace phalanx::layout
