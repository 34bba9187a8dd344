#include "launcher/control/audience.h"

namespace phalanx::control {
namespace {

constexpr std::size_t kRememberedEvents = 200;

}  // namespace

void Audience::add(std::shared_ptr<Watcher> watcher) {
  for (const Shared& event : events_) watcher->send(event);
  if (step_) watcher->send(step_);
  if (end_) {
    watcher->send(end_);
    watcher->close();
  } else {
    watchers_.insert(std::move(watcher));
  }
}

Audience::Shared Audience::tell(Happening happening) {
  happening.set_steps(steps_);
  auto shared = std::make_shared<const Happening>(std::move(happening));
  for (const auto& watcher : watchers_) watcher->send(shared);
  return shared;
}

void Audience::tell_step(const protocol::StepReport& step) {
  Happening happening;
  *happening.mutable_step() = step;
  step_ = tell(std::move(happening));
}

void Audience::tell_event(const std::string& line) {
  Happening happening;
  happening.set_event(line);
  events_.push_back(tell(std::move(happening)));
  if (events_.size() > kRememberedEvents) events_.pop_front();
}

void Audience::tell_end(const Verdict& verdict) {
  Happening happening;
  Ended& ended = *happening.mutable_ended();
  ended.set_exit_code(verdict.exit_code);
  ended.set_outcome(verdict.outcome);
  ended.set_first_cause(verdict.first_cause);
  ended.set_help(verdict.help);
  end_ = tell(std::move(happening));
  for (const auto& watcher : watchers_) watcher->close();
  watchers_.clear();
}

}  // namespace phalanx::control
