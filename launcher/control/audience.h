#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>

#include "launcher/control/action.h"
#include "launcher/control/service.h"

namespace phalanx::control {

// Everybody who watches the job, and what a newcomer is told first: the last step, the newest
// events, and the end if it has come. For one thread.
class Audience {
 public:
  explicit Audience(std::int64_t steps) : steps_(steps) {}

  void add(std::shared_ptr<Watcher> watcher);
  void remove(const std::shared_ptr<Watcher>& watcher) { watchers_.erase(watcher); }

  void tell_step(const protocol::StepReport& step);
  void tell_event(const std::string& line);
  // The last that anybody hears; their streams end after it.
  void tell_end(const Verdict& verdict);

 private:
  using Shared = std::shared_ptr<const Happening>;
  Shared tell(Happening happening);

  const std::int64_t steps_;
  std::set<std::shared_ptr<Watcher>> watchers_;
  std::deque<Shared> events_;
  Shared step_;
  Shared end_;
};

}  // namespace phalanx::control
