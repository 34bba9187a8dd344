#pragma once

#include "launcher/control/decision.h"

// From a broken generation, or none, to the next: workers come (back), the state to go on from is
// chosen, the roster goes out.
namespace phalanx::control {

// A node's keeper is there: its workers are started.
void take_node_ready(Decision& decision, int node, const protocol::NodeReady& report);
// Begins to form the next generation.
void begin_forming(Decision& decision);
// A worker can join the next generation.
void take_candidate(Decision& decision, int rank, const protocol::Candidate& candidate);
void take_claimed(Decision& decision, const GenerationClaimed& claimed);
void take_claim_refused(Decision& decision, const ClaimRefused& refused);
// Sends the roster if everything that it needs is there.
void try_to_form(Decision& decision);
// Survivors that are not back are ended and replaced.
void give_up_on_survivors(Decision& decision);
// The workers that never came end the job.
void give_up_on_forming(Decision& decision);

}  // namespace phalanx::control
