#include "launcher/control/saving.h"

#include <algorithm>

#include "launcher/control/ending.h"
#include "launcher/control/forming.h"

namespace phalanx::control {
namespace {

// The save that a rank's report belongs to; null when it is of an earlier generation, or of a step
// that was saved before.
Save* find_save(State& state, std::uint64_t generation, std::int64_t step) {
  if (generation != state.generation) return nullptr;
  const auto [entry, added] = state.saves.try_emplace(step);
  Save& save = entry->second;
  if (!added && save.generation == generation) return &save;
  if (save.state == Save::State::kCommitting) return nullptr;
  save = {};
  save.generation = generation;
  save.waiting_for = state.ranks();
  save.reported.resize(static_cast<std::size_t>(state.ranks()));
  save.shards.resize(save.reported.size());
  return &save;
}

void fail(Decision& decision, Save& save, int rank, std::int64_t step, const std::string& message) {
  if (save.state == Save::State::kFailed) return;
  save.state = Save::State::kFailed;
  save.failure = message;
  save.shards.clear();
  decision.record_rank("checkpoint_failed", rank, message).details = {{"step", step}};
}

bool has_reported(const Save& save, int rank) {
  return save.reported[static_cast<std::size_t>(rank)];
}

// After the last report nobody writes there any more.
void mark_reported(Decision& decision, Save& save, int rank, std::int64_t step) {
  save.reported[static_cast<std::size_t>(rank)] = true;
  if (--save.waiting_for > 0) return;
  if (save.state == Save::State::kFailed) {
    decision.actions.emplace_back(DiscardSave{save.generation, step});
    return;
  }
  save.state = Save::State::kCommitting;
  decision.actions.emplace_back(commit_of(decision.state, step));
}

// After a commit's answer: others may have waited for it.
void go_on(Decision& decision) {
  if (decision.state.phase == State::Phase::kCommitting) end_finished(decision);
  if (decision.state.phase == State::Phase::kForming) try_to_form(decision);
}

}  // namespace

void take_shard_saved(Decision& decision, int rank, const protocol::ShardSaved& report) {
  Save* save = find_save(decision.state, report.generation(), report.step());
  if (save == nullptr || has_reported(*save, rank)) return;
  if (save->state == Save::State::kCollecting) {
    save->shards[static_cast<std::size_t>(rank)] = report.shard();
    save->samples = report.samples();
    save->tokens = report.tokens();
    save->stall_seconds = std::max(save->stall_seconds, report.stall_seconds());
  }
  mark_reported(decision, *save, rank, report.step());
}

void take_save_failed(Decision& decision, int rank, const protocol::SaveFailed& report) {
  Save* save = find_save(decision.state, report.generation(), report.step());
  if (save == nullptr || has_reported(*save, rank)) return;
  fail(decision, *save, rank, report.step(), report.message());
  mark_reported(decision, *save, rank, report.step());
}

void take_committed(Decision& decision, const CheckpointCommitted& committed) {
  State& state = decision.state;
  const SavedState& saved = committed.state();
  const auto save = state.saves.find(saved.step());
  const double stall = save == state.saves.end() ? 0 : save->second.stall_seconds;
  state.saves.erase(state.saves.begin(), state.saves.upper_bound(saved.step()));
  std::erase_if(state.passed_over,
                [&](const auto& old) { return old.directory() == saved.directory(); });
  if (!state.checkpoint || saved.step() >= state.checkpoint->step()) state.checkpoint = saved;
  decision.record("checkpoint_committed").details = {
      {"step", saved.step()}, {"directory", saved.directory()}, {"stall_seconds", stall}};
  go_on(decision);
}

void take_commit_failed(Decision& decision, const CommitFailed& failed) {
  const auto save = decision.state.saves.find(failed.step());
  if (save == decision.state.saves.end()) return;
  fail(decision, save->second, kNobody, failed.step(), failed.message());
  decision.actions.emplace_back(DiscardSave{save->second.generation, failed.step()});
  go_on(decision);
}

void abandon_saves(Decision& decision) {
  State& state = decision.state;
  std::erase_if(state.saves, [&](const auto& entry) {
    if (entry.second.state == Save::State::kCollecting)
      decision.record("checkpoint_abandoned", state.reason).details = {{"step", entry.first}};
    return entry.second.state != Save::State::kCommitting;
  });
}

bool commit_under_way(const State& state) {
  return std::any_of(state.saves.begin(), state.saves.end(), [](const auto& entry) {
    return entry.second.state == Save::State::kCommitting;
  });
}

CommitCheckpoint commit_of(const State& state, std::int64_t step) {
  const Save& save = state.saves.at(step);
  return {save.generation, step, save.samples, save.tokens, save.shards};
}

}  // namespace phalanx::control
