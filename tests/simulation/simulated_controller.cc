#include "tests/simulation/simulated_controller.h"

#include <fmt/format.h>

#include <algorithm>

#include "launcher/control/status.h"

namespace phalanx::simulation {

using control::Event;

namespace {
std::string directory_of(std::int64_t step) { return fmt::format("step {}", step); }
}  // namespace

class SimulatedController::Connection final : public control::AgentConnection {
 public:
  Connection(const Wire& wire, int node, int number) : wire_(wire), node_(node), number_(number) {}
  void send(std::shared_ptr<const std::string> kind, std::uint64_t sequence,
            std::uint64_t acknowledged) override {
    wire_(node_, number_, std::move(kind), sequence, acknowledged);
  }
  void close() override {}

 private:
  const Wire& wire_;
  const int node_, number_;
};

SimulatedController::SimulatedController(VirtualTime& time, const Event& begin, Disk disk,
                                         Wire wire)
    : time_(time),
      begin_(begin),
      disk_(disk),
      wire_(std::move(wire)),
      nodes_(begin.begin().nodes()),
      links_(nodes_) {
  time_.after(0, [this] { take(begin_); });
}

void SimulatedController::violate(const std::string& what) {
  violations_.push_back(fmt::format("at {:.3f} s: {}", time_.now(), what));
}

void SimulatedController::attach(int node, int connection) {
  links_.attach(node, std::make_shared<Connection>(wire_, node, connection));
  Event event;
  event.mutable_attached()->set_node(node);
  take(std::move(event));
}

void SimulatedController::detach(int node) {
  if (!up_) return;
  Event event;
  event.mutable_detached()->set_node(node);
  take(std::move(event));
}

void SimulatedController::take_report(int node, const protocol::NodeReport& report) {
  const bool is_new = links_.accept(node, report);
  acknowledge_soon();
  if (!is_new) return;
  Event event;
  event.mutable_said()->set_node(node);
  *event.mutable_said()->mutable_report() = report;
  take(std::move(event));
}

void SimulatedController::take(Event event) {
  control::Logged& record = log_.emplace_back();
  record.set_now(time_.now());
  *record.mutable_event() = std::move(event);
  const TimePoint begin = Clock::now();
  std::vector<control::Action> actions = decide(state_, record.event(), record.now());
  deciding_ += Clock::now() - begin;
  if (std::exchange(crash_next_, false)) return die();
  for (control::Action& action : actions) act(action);
  wake_at_deadline();
}

void SimulatedController::act(control::Action& action) {
  std::visit([this](auto& kind) { act(kind); }, action);
}

void SimulatedController::act(control::Send& send) {
  if (send.command->has_roster()) begin_generation(send.command->roster());
  links_.push(send);
}

void SimulatedController::begin_generation(const protocol::Roster& roster) {
  if (roster.generation() <= formed_)
    violate(fmt::format("a second roster of generation {}", roster.generation()));
  if (!claims_.contains(roster.generation()))
    violate(fmt::format("generation {} was not claimed", roster.generation()));
  if (roster.step() > line_) violate(fmt::format("step {} was never recorded", roster.step()));
  formed_ = roster.generation();
  line_ = roster.step();
  on_roster(roster);
}

void SimulatedController::act(control::ClaimGeneration& claim) {
  claims_.insert(claim.generation);
  Event event;
  event.mutable_claimed()->set_generation(claim.generation);
  answer(0.001, std::move(event));
}

void SimulatedController::act(control::CommitCheckpoint& commit) {
  for (const std::string& shard : commit.shards)
    if (shard != fmt::format("{}", commit.step)) violate("a commit with a shard of another step");
  Event event;
  if (time_.chance(disk_.refuses)) {
    event.mutable_commit_failed()->set_step(commit.step);
    event.mutable_commit_failed()->set_message("No space left on device");
  } else {
    event.mutable_committed()->mutable_state()->set_step(commit.step);
    event.mutable_committed()->mutable_state()->set_directory(directory_of(commit.step));
  }
  answer(time_.uniform(0.01, 1), std::move(event));
}

void SimulatedController::act(control::RecordStep& record) {
  const protocol::StepReport& step = record.step;
  if (step.step() != line_ + 1)
    violate(fmt::format("step {} was recorded after step {}", step.step(), line_));
  line_ = written_step_ = step.step();
  written_generation_ = step.generation();
}

void SimulatedController::act(control::EndJob& end) { verdict_ = end.verdict; }

// An answer that finds another process than the one that asked is lost.
void SimulatedController::answer(double delay, Event event) {
  time_.after(delay, [this, process = process_, event = std::move(event)] {
    if (!up_ || process != process_) return;
    if (event.has_committed()) {
      const std::int64_t step = event.committed().state().step();
      checkpoints_[step] = time_.chance(disk_.damages);
      committed_ = std::max(committed_, step);
    }
    take(event);
  });
}

void SimulatedController::act(control::FindCheckpoint& search) {
  time_.after(time_.uniform(0.01, 1), [this, process = process_, except = search.except] {
    if (!up_ || process != process_) return;
    Event event;
    event.mutable_found();
    committed_ = -1;
    for (const auto& [step, damaged] : checkpoints_) {
      const std::string directory = directory_of(step);
      if (std::find(except.begin(), except.end(), directory) != except.end()) continue;
      committed_ = step;
      event.mutable_found()->mutable_state()->set_step(step);
      event.mutable_found()->mutable_state()->set_directory(directory);
    }
    take(event);
  });
}

void SimulatedController::acknowledge_soon() {
  if (std::exchange(acknowledging_, true)) return;
  time_.after(0.02, [this, process = process_] {
    if (!up_ || process != process_) return;
    acknowledging_ = false;
    links_.acknowledge();
  });
}

void SimulatedController::wake_at_deadline() {
  const double deadline = next_deadline(state_);
  if (deadline >= next_wake_) return;
  next_wake_ = deadline;
  time_.after(std::max(0.0, deadline - time_.now()), [this, process = process_] {
    if (!up_ || process != process_) return;
    next_wake_ = control::kNever;
    Event event;
    event.mutable_tick();
    if (next_deadline(state_) <= time_.now()) take(std::move(event));
    wake_at_deadline();
  });
}

std::string SimulatedController::fingerprint() const {
  return fmt::format("{} {} {} {}", describe(state_).SerializeAsString(), next_deadline(state_),
                     unanswered(state_).size(), state_.rounds.size());
}

void SimulatedController::crash(bool when_deciding) {
  if (when_deciding)
    crash_next_ = true;
  else
    die();
}

void SimulatedController::die() {
  up_ = false;
  ++process_;
  on_crash();
  time_.after(time_.uniform(0.2, 2), [this] { come_back(); });
}

void SimulatedController::come_back() {
  const std::string before = fingerprint();
  state_ = {};
  links_ = control::AgentLinks(nodes_);
  next_wake_ = control::kNever;
  acknowledging_ = false;
  std::vector<control::Action> last;
  for (const control::Logged& record : log_) {
    if (record.event().has_said())
      links_.accept(record.event().said().node(), record.event().said().report());
    last = decide(state_, record.event(), record.now());
    for (const control::Action& action : last)
      if (const auto* send = std::get_if<control::Send>(&action)) links_.push(*send);
  }
  if (fingerprint() != before) violate("the log gives another state than there was");
  up_ = true;
  for (control::Action& action : last) repeat(action);
  for (control::Action& action : unanswered(state_)) act(action);
  Event event;
  event.mutable_restarted();
  take(std::move(event));
  if (up_) on_return();
}

// What the last logged event asked for may not have been done before the crash.
void SimulatedController::repeat(control::Action& action) {
  if (const auto* send = std::get_if<control::Send>(&action))
    if (send->command->has_roster() && send->command->roster().generation() > formed_)
      begin_generation(send->command->roster());
  if (auto* record = std::get_if<control::RecordStep>(&action))
    if (record->step.step() != written_step_ || record->step.generation() != written_generation_)
      act(*record);
}

}  // namespace phalanx::simulation
