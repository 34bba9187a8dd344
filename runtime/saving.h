#pragma once

#include "checkpoint/background_writer.h"
#include "config/job.h"
#include "protocol/messages.pb.h"
#include "runtime/keeper_link.h"
#include "runtime/model_state.h"

namespace phalanx::runtime {

// The kinds of state in a checkpoint, with the buffers that hold them.
struct KindOfState {
  const char* name;
  std::span<float> flat;
};
std::vector<KindOfState> kinds_of_state(ModelState& state);

// A worker's part in checkpoints: its shard is copied at once and written in the background, and
// the result goes to the controller, which makes a checkpoint of all ranks' shards. No failure
// reaches training.
class Saving {
 public:
  Saving(const config::Job& job, int attempt, KeeperLink& keeper);

  // Settles the part of `state` that rank `rank` of `ranks` saves from now on; where saves
  // come during training, the memory for its copy is taken in the background.
  void prepare(ModelState& state, int ranks, int rank);
  // Saves that part for `generation`. Waits only for a save that is still under way.
  void save(ModelState& state, std::uint64_t generation);
  // Waits until nothing is under way.
  void finish();
  // Whether the checkpoint of this step of this attempt is complete.
  bool has(std::int64_t step) const;

 private:
  config::Job job_;
  int attempt_;
  KeeperLink& keeper_;
  int ranks_ = 0, rank_ = 0;
  std::vector<layout::Region> owned_;
  checkpoint::BackgroundWriter writer_;
};

}  // namespace phalanx::runtime
