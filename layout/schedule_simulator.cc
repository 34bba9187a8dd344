#include "layout/schedule_simulator.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "base/check.h"
#include "layout/schedule_walk.h"

namespace phalanx::layout {
namespace {

class Simulation {
 public:
  Simulation(const Schedule& schedule, const Times& times, const std::vector<StageMemory>& memory)
      : schedule_(schedule), times_(times), memory_(memory), ranks_(schedule.ranks.size()) {
    for (auto& rank : ranks_) rank.gathered.resize(static_cast<std::size_t>(schedule.chunks));
    for (const auto& list : schedule.ranks) timeline_.ranks.emplace_back(list.size());
    timeline_.busy.resize(schedule.ranks.size());
    timeline_.activations.resize(schedule.ranks.size());
    timeline_.peak_activations = peak_activations(schedule, memory);
  }

  Timeline run() && {
    ScheduleWalk walk(schedule_);
    walk.run([this](int rank, std::size_t index) { execute(rank, index); });
    check(walk.finished(), "only a schedule without deadlock can be timed");
    for (const auto& spans : timeline_.ranks)
      for (const auto& span : spans) timeline_.makespan = std::max(timeline_.makespan, span.end);
    return std::move(timeline_);
  }

 private:
  struct Rank {
    std::int64_t now = 0;                // end of its last pass or receive
    std::int64_t collectives_until = 0;  // end of its last gather or reduce
    std::vector<std::int64_t> gathered;  // by chunk: when its parameters are there
    std::int64_t held = 0;               // activations
    bool started = false;
    std::int64_t first_start = 0;
  };

  const StageTimes& stage_times(int rank, int chunk) const {
    return times_.stages[static_cast<std::size_t>(schedule_.stage(rank, chunk))];
  }

  std::int64_t duration(int rank, const Operation& operation) const {
    const auto& stage = stage_times(rank, operation.chunk);
    switch (operation.kind) {
      case OperationKind::kForward:
        return stage.forward;
      case OperationKind::kBackward:
        return stage.backward_input + stage.backward_weight;
      case OperationKind::kBackwardInput:
        return stage.backward_input;
      case OperationKind::kBackwardWeight:
        return stage.backward_weight;
      case OperationKind::kRecompute:
        return stage.recompute;
      case OperationKind::kGather:
        return stage.gather;
      case OperationKind::kReduce:
        return stage.reduce;
      default:
        return 0;
    }
  }

  // A message is known by the stage that it comes from.
  using Message = std::tuple<bool, int, int>;  // activation, micro-batch, stage of the sender
  Message message(int rank, const Operation& operation) const {
    const bool activation = operation.kind == OperationKind::kSendActivation ||
                            operation.kind == OperationKind::kReceiveActivation;
    const int away = is_send(operation.kind) ? 0 : (activation ? -1 : 1);
    return {activation, operation.micro_batch, schedule_.stage(rank, operation.chunk) + away};
  }

  void execute(int rank, std::size_t index) {
    const auto r = static_cast<std::size_t>(rank);
    const auto& operation = schedule_.ranks[r][index];
    timeline_.ranks[r][index] = time(rank, ranks_[r], operation);
  }

  Span time(int rank, Rank& state, const Operation& operation) {
    const auto length = duration(rank, operation);
    if (is_compute(operation.kind)) return pass(rank, state, operation, length);
    if (is_send(operation.kind)) {
      const auto arrival = state.now + times_.transfer;
      arrivals_[message(rank, operation)] = arrival;
      return {state.now, arrival};
    }
    if (is_receive(operation.kind)) {
      const auto start = state.now;
      state.now = std::max(start, arrivals_.at(message(rank, operation)));
      return {start, state.now};
    }
    if (operation.kind == OperationKind::kFree) return {state.now, state.now};
    const auto start = std::max(state.now, state.collectives_until);
    state.collectives_until = start + length;
    if (operation.kind == OperationKind::kGather)
      state.gathered[static_cast<std::size_t>(operation.chunk)] = start + length;
    return {start, start + length};
  }

  Span pass(int rank, Rank& state, const Operation& operation, std::int64_t length) {
    const auto start =
        std::max(state.now, state.gathered[static_cast<std::size_t>(operation.chunk)]);
    state.now = start + length;
    const auto change = memory_change(schedule_, rank, operation, memory_);
    hold(rank, state, start, change.before);
    hold(rank, state, state.now, change.after);
    timeline_.busy[static_cast<std::size_t>(rank)] += length;
    if (!state.started) {
      state.started = true;
      state.first_start = start;
    }
    timeline_.longest_rank = std::max(timeline_.longest_rank, state.now - state.first_start);
    return {start, state.now};
  }

  void hold(int rank, Rank& state, std::int64_t from, std::int64_t more) {
    if (more == 0) return;
    state.held += more;
    timeline_.activations[static_cast<std::size_t>(rank)].push_back({from, state.held});
  }

  const Schedule& schedule_;
  const Times& times_;
  const std::vector<StageMemory>& memory_;
  Timeline timeline_;
  std::vector<Rank> ranks_;
  std::map<Message, std::int64_t> arrivals_;
};

}  // namespace

double Timeline::idle(std::int64_t length) const {
  const auto passes = std::accumulate(busy.begin(), busy.end(), std::int64_t{0});
  return 1 - static_cast<double>(passes) /
                 (static_cast<double>(length) * static_cast<double>(busy.size()));
}

Timeline simulate(const Schedule& schedule, const Times& times,
                  const std::vector<StageMemory>& memory) {
  const auto stages = static_cast<std::size_t>(schedule.stages());
  check(times.stages.size() == stages, "times are given by stage");
  const std::vector<StageMemory> counted(stages);
  return Simulation(schedule, times, memory.empty() ? counted : memory).run();
}

}  // namespace phalanx::layout
