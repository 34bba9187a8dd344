#include "launcher/control/source.h"

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

Source choose_source(const State& state) {
  Source source;
  source.step = -1;
  for (int rank = 0; rank < state.ranks(); ++rank) {
    const protocol::Candidate& candidate = state.workers[static_cast<std::size_t>(rank)].candidate;
    const bool newer = candidate.held_step() > source.step;
    if (!newer && (candidate.held_step() != source.step || source.last_step.has_step())) continue;
    if (candidate.held_step() < 0) continue;
    if (newer) source.rank = rank;
    source.kind = protocol::Roster::REPLICA;
    source.step = candidate.held_step();
    source.last_step.Clear();
    if (candidate.last_step().step() == source.step) source.last_step = candidate.last_step();
  }
  if (state.checkpoint && state.checkpoint->step() > source.step) {
    source = {};
    source.kind = protocol::Roster::CHECKPOINT;
    source.step = state.checkpoint->step();
    source.directory = state.checkpoint->directory();
  }
  if (source.step < 0) source.step = 0;
  return source;
}

}  // namespace phalanx::control
