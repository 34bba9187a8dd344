#pragma once

#include "launcher/control/decision.h"

// Checkpoints: complete when every rank's shard is on disk and the commit is done.
namespace phalanx::control {

void take_shard_saved(Decision& decision, int rank, const protocol::ShardSaved& report);
// The step has no checkpoint then; training goes on.
void take_save_failed(Decision& decision, int rank, const protocol::SaveFailed& report);
void take_committed(Decision& decision, const CheckpointCommitted& committed);
void take_commit_failed(Decision& decision, const CommitFailed& failed);

// A new generation: what the old one has not saved completely never will be.
void abandon_saves(Decision& decision);

bool commit_under_way(const State& state);
CommitCheckpoint commit_of(const State& state, std::int64_t step);

}  // namespace phalanx::control
