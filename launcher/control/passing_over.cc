#include "launcher/control/passing_over.h"

#include <fmt/format.h>

#include <algorithm>

#include "launcher/control/breaking.h"
#include "launcher/control/forming.h"
#include "protocol/exit_code.h"

namespace phalanx::control {

void pass_over(Decision& decision, const protocol::PassedOver& checkpoint, int rank) {
  auto& passed_over = decision.state.passed_over;
  const auto is_named = [&](const auto& known) {
    return known.directory() == checkpoint.directory();
  };
  if (std::any_of(passed_over.begin(), passed_over.end(), is_named)) return;
  passed_over.push_back(checkpoint);
  decision.record_rank("checkpoint_passed_over", rank, checkpoint.reason()).details = {
      {"directory", checkpoint.directory()}};
}

void take_checkpoint_damaged(Decision& decision, int rank,
                             const protocol::CheckpointDamaged& damaged) {
  State& state = decision.state;
  if (damaged.generation() != state.generation) return;
  const std::string& directory = damaged.checkpoint().directory();
  pass_over(decision, damaged.checkpoint(), rank);
  if (state.checkpoint && state.checkpoint->directory() == directory) {
    state.checkpoint.reset();
    state.searching = true;
    decision.actions.emplace_back(search_of(state));
  }
  if (state.phase != State::Phase::kTraining) return;
  Death death;
  death.how = fmt::format("rank {} cannot load {}", rank, directory);
  break_generation(decision, death);
}

void take_checkpoint_found(Decision& decision, const CheckpointFound& found) {
  State& state = decision.state;
  state.searching = false;
  for (const auto& checkpoint : found.passed_over()) pass_over(decision, checkpoint);
  if (found.has_state()) state.checkpoint = found.state();
  if (state.phase == State::Phase::kForming) try_to_form(decision);
}

FindCheckpoint search_of(const State& state) {
  FindCheckpoint search;
  for (const auto& checkpoint : state.passed_over) search.except.push_back(checkpoint.directory());
  return search;
}

Verdict verdict_on_checkpoints(const State& state) {
  std::string cause = "no checkpoint loads";
  for (const auto& checkpoint : state.passed_over)
    cause += fmt::format("\n  passed over {}: {}", checkpoint.directory(), checkpoint.reason());
  return {
      static_cast<int>(protocol::ExitCode::kNoCheckpoint), "failed", std::move(cause),
      "`phalanx ckpt verify` lists all damage; choose another `output` to begin from the start"};
}

}  // namespace phalanx::control
