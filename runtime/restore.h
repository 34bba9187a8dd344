#pragma once

#include "comm/communicator.h"
#include "protocol/messages.pb.h"
#include "runtime/model_state.h"
#include "runtime/phase_clock.h"

namespace phalanx::runtime {

// What the ranks must know of the step they go on from, beside its state.
struct Ledger {
  double loss = 0, validation_loss = 0, grad_norm = 0, lr = 0, seconds = 0;  // of the last step
  double balance_loss = 0, busiest_expert = 0;  // of it, as StepOutcome's
  double model_flops_per_second = 0;            // a rank's share of it
  PhaseClock::Seconds phases{};                 // of it, and of what followed the step before
  bool validated = false;                       // validation_loss holds a number
  bool reported = false;                        // the last step has been reported in full
  bool saved = false;                           // no checkpoint of this step is missing
};

// A rank's state, whether it is whole, and its ledger.
struct Holding {
  Holding(const config::Job& job, int rank, at::Device device) : state(job, rank, device) {}
  ModelState state;
  bool whole = false;
  Ledger ledger;

  std::int64_t held_step() const { return whole ? state.progress.step : -1; }
};

// The last step as it is reported.
protocol::StepReport step_report(const Holding& holding, std::uint64_t generation);

// Fills `state` from a checkpoint's directory. Throws CheckpointError, StorageError.
void load_state(const std::string& checkpoint, ModelState& state);

// Brings every rank to the state that the roster names: computed, read from a checkpoint, or
// received, bucket by bucket, from a replica that holds it by those that do not; the ledger goes to
// all. Throws CommError (then `holding` is whole only if it was and nothing was written to it) and
// CheckpointError when the checkpoint cannot be loaded, whatever the reason.
void restore(const protocol::Roster& roster, comm::Communicator& communicator, comm::Group& world,
             Holding& holding);

}  // namespace phalanx::runtime
