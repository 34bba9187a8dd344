#pragma once

#include <string>
#include <utility>
#include <vector>

#include "launcher/control/decide.h"

namespace phalanx::control {

// A job on its way through decide(): says what nodes and workers say, and remembers what was
// decided. Time moves only by wait().
class Scenario {
 public:
  explicit Scenario(int nodes = 2, int slots = 2, std::int64_t steps = 100,
                    std::int64_t resume_step = -1);

  // What happens. Each returns the actions of that event.
  const std::vector<Action>& tell(Event event);
  const std::vector<Action>& report(int node, protocol::NodeReport report);
  const std::vector<Action>& say(int rank, protocol::FromWorker report);
  const std::vector<Action>& candidate(int rank, std::int64_t held_step = -1);
  const std::vector<Action>& step(std::int64_t step, int from_rank = 0);
  const std::vector<Action>& die(int rank, int signal = 9, int code = 0);
  const std::vector<Action>& fault(int rank, const std::string& kind, int peer);
  const std::vector<Action>& silent(int rank);
  const std::vector<Action>& shard(int rank, std::int64_t step);
  const std::vector<Action>& save_failed(int rank, std::int64_t step);
  const std::vector<Action>& finished(int rank, std::int64_t step);
  const std::vector<Action>& restored();
  const std::vector<Action>& committed(std::int64_t step);
  const std::vector<Action>& commit_failed(std::int64_t step);
  // The rank cannot load what its generation begins from.
  const std::vector<Action>& damaged(int rank, const std::string& directory);
  // The search's answer; -1: there is none.
  const std::vector<Action>& found(std::int64_t step);
  const std::vector<Action>& stop(StopRequest::Why why);
  const std::vector<Action>& node_ended(int node);
  // Lets time pass, with the ticks that come due.
  const std::vector<Action>& wait(double seconds);

  // Several in a row.
  void all_ready();
  void start_worker(int rank);  // obeys StartWorker
  void train_to(std::int64_t step);
  // All workers die; their successors hold nothing.
  void all_die();
  // All nodes ready, all workers candidates: the first generation is at work.
  void begin();
  // Survivors come back holding `held_step`, the others are new; all of `dead` were replaced.
  void rejoin(std::int64_t held_step, const std::vector<int>& dead);
  void all_finish(std::int64_t step);
  void all_save(std::int64_t step);
  void end_nodes();

  // What was decided in the last event (or the last of several).
  template <class Kind>
  std::vector<Kind> last() const {
    std::vector<Kind> found;
    for (const Action& action : actions_)
      if (const auto* kind = std::get_if<Kind>(&action)) found.push_back(*kind);
    return found;
  }
  std::vector<protocol::NodeCommand> commands(protocol::NodeCommand::KindCase kind) const;
  std::vector<Record> events(const std::string& kind) const;
  // The roster, abort, verdict of the last event; a default one if there was none.
  protocol::Roster roster() const;
  protocol::Abort abort() const;
  Verdict ended() const;
  bool has_ended() const { return !last<EndJob>().empty(); }

  State state;
  double now = 100;

 private:
  std::vector<Action> actions_;
  bool collecting_ = false;  // several events count as one
  std::int64_t next_pid_ = 1000;
};

}  // namespace phalanx::control
