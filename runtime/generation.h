#pragma once

#include <optional>

#include "comm/backend.h"
#include "config/job.h"
#include "protocol/black_box.h"
#include "runtime/keeper_link.h"
#include "runtime/mesh_groups.h"
#include "runtime/restore.h"
#include "runtime/saving.h"
#include "runtime/step.h"
#include "runtime/tracer.h"

namespace phalanx::runtime {

// What a worker keeps from one generation to the next.
struct Worker {
  config::Job job;
  KeeperLink& keeper;
  protocol::BlackBox& black_box;
  PhaseClock& phases;
  comm::Endpoint& endpoint;
  TrainingData& data;
  Holding& holding;
  Saving& saving;
  Tracer& tracer;
  std::optional<double> peak_flops_per_second;  // of its threads; the reporter knows, after a step
};

// A worker's part in one generation, from its roster to the last step or the first failure.
class Generation {
 public:
  // Connects to the other ranks. Throws CommError.
  Generation(Worker& worker, Summons summons);
  ~Generation();

  // Restores the state, trains to the last step (or until a stop is agreed on), saves, and reports
  // Finished. Throws CommError when the generation is over before that, CheckpointError when the
  // state cannot be loaded.
  void run();

 private:
  bool settle(Stepper& stepper);
  bool step(Stepper& stepper);
  void conclude(Stepper& stepper, bool stopping);
  void report();
  void finish();
  bool last_step() const;
  bool validation_due() const;
  bool save_due() const;

  Worker& worker_;
  protocol::Roster roster_;
  int rank_;
  std::unique_ptr<comm::Communicator> communicator_;
  MeshGroups groups_;
  bool memory_told_ = false;
};

}  // namespace phalanx::runtime
