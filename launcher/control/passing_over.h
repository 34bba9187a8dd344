#pragma once

#include "launcher/control/decision.h"

// Checkpoints that cannot be loaded are named, and passed over for the next older one.
namespace phalanx::control {

// Names the checkpoint, once. `rank`: who found the damage.
void pass_over(Decision& decision, const protocol::PassedOver& checkpoint, int rank = kNobody);
// A rank could not load what its generation begins from: nobody goes on from there.
void take_checkpoint_damaged(Decision& decision, int rank,
                             const protocol::CheckpointDamaged& damaged);
void take_checkpoint_found(Decision& decision, const CheckpointFound& found);

FindCheckpoint search_of(const State& state);
// None is left.
Verdict verdict_on_checkpoints(const State& state);

}  // namespace phalanx::control
