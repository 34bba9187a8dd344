#pragma once

#include "checkpoint/background_writer.h"
#include "config/job.h"
#include "protocol/messages.pb.h"
#include "runtime/keeper_link.h"
#include "runtime/model_state.h"

namespace phalanx::runtime {

// A worker's part in checkpoints: its shard is copied at once and written in the background, and
// the result goes to the controller, which makes a checkpoint of all ranks' shards. No failure
// reaches training.
class Saving {
 public:
  Saving(const config::Job& job, int attempt, KeeperLink& keeper);

  // Takes memory, in the background, for the copy of what this rank owns of `state`, where saves
  // come during training.
  void prepare(const ModelState& state);
  // Saves what this rank owns for `generation`. Waits only for a save that is still under way.
  void save(ModelState& state, std::uint64_t generation);
  // Waits until nothing is under way.
  void finish();
  // Whether the checkpoint of this step of this attempt is complete.
  bool has(std::int64_t step) const;

 private:
  config::Job job_;
  int attempt_;
  KeeperLink& keeper_;
  checkpoint::BackgroundWriter writer_;
};

}  // namespace phalanx::runtime
