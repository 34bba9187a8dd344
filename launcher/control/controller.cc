#include "launcher/control/controller.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/file.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/process.h"
#include "config/load.h"
#include "launcher/control/agent_links.h"
#include "launcher/control/archive.h"
#include "launcher/control/audience.h"
#include "launcher/control/claim.h"
#include "launcher/control/decide.h"
#include "launcher/control/event_queue.h"
#include "launcher/control/run_files.h"
#include "launcher/control/service.h"
#include "launcher/control/status.h"
#include "launcher/control/tracing.h"
#include "launcher/control/write_ahead_log.h"
#include "launcher/error.h"
#include "protocol/exit_code.h"

namespace phalanx::control {
namespace {

constexpr double kFlushSeconds = 3;
constexpr double kMaxAgeSeconds = 60;

// The shell around decide(): hands it events one after the other, each logged before it counts, and
// carries out what it says. All but handler calls runs on the thread of run().
class Controller final : public ServiceHandler {
 public:
  Controller(const protocol::ControllerStart& start, FrameChannel& keeper);
  void run();

  void attached(int node, std::shared_ptr<AgentConnection> connection) override;
  void said(int node, protocol::NodeReport report) override;
  void detached(int node, std::shared_ptr<AgentConnection> connection) override;
  void watch(std::shared_ptr<Watcher> watcher) override;
  void unwatch(std::shared_ptr<Watcher> watcher) override;
  void status(std::function<void(const Status&)> answer) override;
  void stop(StopRequest request, std::function<void()> answer) override;
  void trace(TraceRequest request, std::function<void(const TraceAnswer&)> answer) override;
  void node_lost(NodeLostRequest request, std::function<void()> answer) override;

 private:
  void begin_or_continue();
  void replay(const Logged& record);
  void take(Event event);
  void take_report(int node, protocol::NodeReport report);
  void wait_for_work();
  double now() const { return seconds(Clock::now().time_since_epoch()) + clock_offset_; }

  void carry_out(Action& action);
  void act(Send& send) { links_.push(send); }
  void act(ClaimGeneration& claim);
  void act(CommitCheckpoint& commit) { archive_.commit(std::move(commit)); }
  void act(DiscardSave& save) { archive_.discard(save); }
  void act(FindCheckpoint& search) { archive_.find(std::move(search)); }
  void act(Record& record) { audience_.tell_event(files_.write(record)); }
  void act(RecordStep& step);
  void act(EndJob& end);

  const protocol::ControllerStart start_;
  const config::Job job_;
  const protocol::RunDirectory directory_;
  FrameChannel& keeper_;
  EventQueue queue_;
  State state_;
  AgentLinks links_;
  Audience audience_;
  RunFiles files_;
  double last_now_ = 0;
  double clock_offset_ = 0;  // the log's time goes on after a restart, whatever the clock says
  std::optional<RecordStep> replayed_step_;
  std::deque<Event> answers_;  // of actions carried out at once
  bool ended_ = false;
  WriteAheadLog log_;
  Archive archive_;
};

Controller::Controller(const protocol::ControllerStart& start, FrameChannel& keeper)
    : start_(start),
      job_(config::load_job(start.job()).job),
      directory_(start.output()),
      keeper_(keeper),
      links_(start.nodes()),
      audience_(job_.train.steps),
      files_(directory_),
      log_((make_folders(directory_.control()), directory_.decisions(start.attempt())),
           [this](const Logged& record) { replay(record); }),
      archive_(start, job_, [this](Event event) {
        queue_.post([this, event = std::move(event)] { take(event); });
      }) {}

void Controller::run() {
  begin_or_continue();
  ServiceServer server(start_.host(), start_.token(), start_.nodes(), *this);
  protocol::ControllerAddress address;
  address.set_address(server.address());
  bool keeper_is_there = keeper_.send(address.SerializeAsString());
  while (keeper_is_there && !ended_) {
    wait_for_work();
    queue_.run_waiting();
    if (next_deadline(state_) <= now()) {
      Event tick;
      tick.mutable_tick();
      take(std::move(tick));
    }
    if (log_.complete()) links_.acknowledge();
    Frame frame;
    keeper_is_there = keeper_.receive(frame, Clock::now()) != FrameChannel::Status::kEnd;
  }
  links_.close_all();
  queue_.close();
  server.shut_down(keeper_is_there ? kFlushSeconds : 0);
}

void Controller::begin_or_continue() {
  Event event;
  if (state_.nodes_wanted > 0) {
    clock_offset_ = std::max(0.0, last_now_ - now());
    if (replayed_step_ &&
        files_.last_written_step() !=
            std::pair(replayed_step_->step.step(), replayed_step_->step.generation()))
      act(*replayed_step_);
    event.mutable_restarted();
    for (Action& action : unanswered(state_)) carry_out(action);
  } else {
    Begin& begin = *event.mutable_begin();
    begin.set_nodes(start_.nodes());
    begin.set_slots_per_node(start_.slots_per_node());
    begin.set_steps(job_.train.steps);
    begin.set_last_generation(last_claimed_generation(directory_));
    if (!start_.resume().empty()) *begin.mutable_resume() = read_saved_state(start_.resume());
    *begin.mutable_passed_over() = start_.passed_over();
    begin.set_needs_new_processes(start_.needs_new_processes());
    *begin.mutable_sharing() = start_.sharing();
  }
  take(std::move(event));
}

// Rebuilds the state and what the nodes have been told; all else has been done.
void Controller::replay(const Logged& record) {
  last_now_ = record.now();
  if (record.event().has_said())
    links_.accept(record.event().said().node(), record.event().said().report());
  for (Action& action : decide(state_, record.event(), record.now())) {
    if (auto* send = std::get_if<Send>(&action)) links_.push(*send);
    if (auto* step = std::get_if<RecordStep>(&action)) replayed_step_ = std::move(*step);
  }
}

void Controller::take(Event event) {
  answers_.push_back(std::move(event));
  while (!answers_.empty()) {
    Logged record;
    record.set_now(last_now_ = std::max(last_now_, now()));
    *record.mutable_event() = std::move(answers_.front());
    answers_.pop_front();
    log_.append(record);
    for (Action& action : decide(state_, record.event(), record.now())) carry_out(action);
  }
}

void Controller::wait_for_work() {
  const double patience = std::min(next_deadline(state_) - now(), 3600.0);
  pollfd files[2] = {{queue_.fd(), POLLIN, 0}, {keeper_.fd(), POLLIN, 0}};
  ::poll(files, 2, static_cast<int>(std::ceil(std::max(patience, 0.0) * 1000)));
}

void Controller::carry_out(Action& action) {
  std::visit([this](auto& kind) { act(kind); }, action);
}

void Controller::act(ClaimGeneration& claim) {
  answers_.push_back(claim_generation(directory_, claim.generation,
                                      fmt::format("attempt {}\n", start_.attempt())));
}

void Controller::act(RecordStep& step) {
  files_.write(step);
  audience_.tell_step(step.step);
}

void Controller::act(EndJob& end) {
  files_.write_summary(state_, end.verdict, now());
  audience_.tell_end(end.verdict);
  ended_ = true;
}

void Controller::attached(int node, std::shared_ptr<AgentConnection> connection) {
  const bool posted = queue_.post([this, node, connection] {
    links_.attach(node, connection);
    Event event;
    event.mutable_attached()->set_node(node);
    take(std::move(event));
  });
  if (!posted) connection->close();
}

void Controller::detached(int node, std::shared_ptr<AgentConnection> connection) {
  queue_.post([this, node, connection] {
    if (!links_.detach(node, connection.get())) return;
    Event event;
    event.mutable_detached()->set_node(node);
    take(std::move(event));
  });
}

void Controller::said(int node, protocol::NodeReport report) {
  queue_.post(
      [this, node, report = std::move(report)]() mutable { take_report(node, std::move(report)); });
}

void Controller::take_report(int node, protocol::NodeReport report) {
  if (!links_.accept(node, report)) return;
  Event event;
  NodeSaid& said = *event.mutable_said();
  said.set_node(node);
  // Clocks of hosts differ by milliseconds, and a wrong one must not claim hours.
  if (report.worker_exited().has_reaped_at())
    said.set_age_seconds(
        std::clamp(wall_seconds() - report.worker_exited().reaped_at(), 0.0, kMaxAgeSeconds));
  *said.mutable_report() = std::move(report);
  take(std::move(event));
}

void Controller::watch(std::shared_ptr<Watcher> watcher) {
  if (!queue_.post([this, watcher] { audience_.add(watcher); })) watcher->close();
}

void Controller::unwatch(std::shared_ptr<Watcher> watcher) {
  queue_.post([this, watcher] { audience_.remove(watcher); });
}

void Controller::status(std::function<void(const Status&)> answer) {
  if (!queue_.post([this, answer] { answer(describe(state_)); })) answer({});
}

void Controller::stop(StopRequest request, std::function<void()> answer) {
  const bool posted = queue_.post([this, request, answer] {
    Event event;
    *event.mutable_stop() = request;
    take(std::move(event));
    answer();
  });
  if (!posted) answer();
}

void Controller::trace(TraceRequest request, std::function<void(const TraceAnswer&)> answer) {
  const bool posted = queue_.post([this, request, answer] {
    Event event;
    *event.mutable_trace() = request;
    take(std::move(event));
    answer(trace_answer(state_, request));
  });
  if (!posted) answer({});
}

void Controller::node_lost(NodeLostRequest request, std::function<void()> answer) {
  const bool posted = queue_.post([this, request, answer] {
    Event event;
    *event.mutable_node_lost() = request;
    take(std::move(event));
    answer();
  });
  if (!posted) answer();
}

}  // namespace

int run_controller(int fd) {
  set_process_name("phalanx-control");
  // A signal to the whole job is phalanx run's to answer, by saving and stopping.
  ignore_signals({SIGINT, SIGTERM, SIGHUP, SIGPIPE});
  FrameChannel keeper{FileDescriptor(fd)};
  try {
    Frame frame;
    if (keeper.receive(frame, Clock::now() + std::chrono::seconds(30)) !=
        FrameChannel::Status::kFrame)
      throw launcher::LaunchError("the keeper did not say what to control");
    protocol::ControllerStart start;
    if (!start.ParseFromString(frame.payload))
      throw launcher::LaunchError("the keeper's first frame is not a ControllerStart");
    Controller(start, keeper).run();
    return static_cast<int>(protocol::ExitCode::kDone);
  } catch (const StorageError& error) {
    log::error("{}", error.what());
    return static_cast<int>(protocol::ExitCode::kStorage);
  } catch (const Error& error) {
    log::error("{}", error.what());
    return static_cast<int>(protocol::ExitCode::kRendezvous);
  }
}

}  // namespace phalanx::control
