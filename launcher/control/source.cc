#include "launcher/control/source.h"

#include <algorithm>
#include <map>
#include <set>

namespace phalanx::control {

std::string Source::name() const {
  switch (kind) {
    case protocol::Roster::REPLICA:
      return "replica";
    case protocol::Roster::CHECKPOINT:
      return "checkpoint";
    default:
      return "start";
  }
}

namespace {

// A step that some rank holds.
struct Held {
  int first = kNobody;  // the lowest rank that holds it
  std::set<int> parts;  // of the state, that its holders have
  protocol::StepReport last_step;
};

int parts_of_state(const State& state) {
  if (state.sharing.sharded()) return state.ranks();
  const auto& sharing = state.sharing;
  return sharing.pipeline_ranks() * sharing.expert_ranks() * sharing.tensor_ranks();
}

int part_of(const State& state, int rank) {
  const auto& sharing = state.sharing;
  if (sharing.sharded()) return rank;
  const int pipeline = rank / (state.ranks() / sharing.pipeline_ranks());
  const int expert = rank / sharing.tensor_ranks() % sharing.expert_ranks();
  return (pipeline * sharing.expert_ranks() + expert) * sharing.tensor_ranks() +
         rank % sharing.tensor_ranks();
}

std::map<std::int64_t, Held> held_steps(const State& state) {
  std::map<std::int64_t, Held> steps;
  for (int rank = 0; rank < state.ranks(); ++rank) {
    const protocol::Candidate& candidate = state.workers[static_cast<std::size_t>(rank)].candidate;
    if (candidate.held_step() < 0) continue;
    Held& held = steps[candidate.held_step()];
    if (held.first == kNobody) held.first = rank;
    held.parts.insert(part_of(state, rank));
    if (!held.last_step.has_step() && candidate.last_step().step() == candidate.held_step())
      held.last_step = candidate.last_step();
  }
  return steps;
}

}  // namespace

Source choose_source(const State& state) {
  Source source;
  source.step = -1;
  const auto steps = held_steps(state);
  const auto whole = std::find_if(steps.rbegin(), steps.rend(), [&](const auto& step) {
    return static_cast<int>(step.second.parts.size()) == parts_of_state(state);
  });
  if (whole != steps.rend())
    source = {
        protocol::Roster::REPLICA, whole->first, whole->second.first, {}, whole->second.last_step};
  if (state.checkpoint && state.checkpoint->step() > source.step)
    source = {protocol::Roster::CHECKPOINT,
              state.checkpoint->step(),
              kNobody,
              state.checkpoint->directory(),
              {}};
  if (source.step < 0) source.step = 0;
  return source;
}

}  // namespace phalanx::control
