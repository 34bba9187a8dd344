#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "launcher/control/agent_links.h"
#include "launcher/control/decide.h"
#include "tests/simulation/virtual_time.h"

namespace phalanx::simulation {

// The controller in virtual time: the real decide() and the real links; a log, a disk and claims in
// memory. It crashes between any two of its doings, and goes on from its log.
class SimulatedController {
 public:
  // A command on its way to a node over connection `connection`.
  using Wire = std::function<void(int node, int connection, std::shared_ptr<const std::string> kind,
                                  std::uint64_t sequence, std::uint64_t acknowledged)>;

  // The disk refuses commits, and changes what it holds, with these probabilities.
  struct Disk {
    double refuses = 0, damages = 0;
  };

  SimulatedController(VirtualTime& time, const control::Event& begin, Disk disk, Wire wire);

  bool is_up() const { return up_; }
  void attach(int node, int connection);
  void detach(int node);
  void take_report(int node, const protocol::NodeReport& report);
  void take(control::Event event);

  // Ends the process, with its memory lost; it comes back soon. `when_deciding`: after the next
  // event is logged and before it is acted on.
  void crash(bool when_deciding);

  const control::State& state() const { return state_; }
  const std::optional<control::Verdict>& verdict() const { return verdict_; }
  // The newest checkpoint that nobody has found damaged; -1: there is none.
  std::int64_t committed_step() const { return committed_; }
  bool is_damaged(std::int64_t step) const { return checkpoints_.at(step); }
  std::int64_t events() const { return static_cast<std::int64_t>(log_.size()); }
  Duration deciding() const { return deciding_; }  // real time spent in decide()
  const std::vector<std::string>& violations() const { return violations_; }

  // Called with every roster when it is decided on.
  std::function<void(const protocol::Roster&)> on_roster;
  std::function<void()> on_crash, on_return;
  void violate(const std::string& what);

 private:
  class Connection;

  void act(control::Action& action);
  void act(control::Send& send);
  void act(control::ClaimGeneration& claim);
  void act(control::CommitCheckpoint& commit);
  void act(control::DiscardSave&) {}
  void act(control::FindCheckpoint& search);
  void act(control::Record&) {}
  void act(control::RecordStep& step);
  void act(control::EndJob& end);
  void repeat(control::Action& action);
  void begin_generation(const protocol::Roster& roster);
  void answer(double delay, control::Event event);
  void acknowledge_soon();
  void wake_at_deadline();
  void die();
  void come_back();
  std::string fingerprint() const;

  VirtualTime& time_;
  const control::Event begin_;
  const Disk disk_;
  const Wire wire_;
  const int nodes_;
  control::State state_;
  control::AgentLinks links_;
  std::vector<control::Logged> log_;
  bool up_ = true;
  int process_ = 0;  // grows with each start
  double next_wake_ = control::kNever;
  bool acknowledging_ = false;
  Duration deciding_{};
  bool crash_next_ = false;

  // What outlives the process.
  std::set<std::uint64_t> claims_;
  std::map<std::int64_t, bool> checkpoints_;  // step -> damaged
  std::int64_t committed_ = -1;
  std::uint64_t formed_ = 0;  // the newest generation with a roster
  std::int64_t line_ = 0;     // the step that metrics.jsonl goes on from
  std::uint64_t written_generation_ = 0;
  std::int64_t written_step_ = 0;
  std::optional<control::Verdict> verdict_;
  std::vector<std::string> violations_;
};

}  // namespace phalanx::simulation
