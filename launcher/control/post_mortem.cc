#include "launcher/control/post_mortem.h"

#include <algorithm>

#include "base/clock.h"
#include "launcher/control/decide.h"
#include "launcher/control/ending.h"
#include "launcher/control/run_files.h"
#include "launcher/control/write_ahead_log.h"

namespace phalanx::control {

Verdict end_without_controller(const protocol::RunDirectory& directory, int attempt,
                               Verdict verdict) {
  State state;
  double now = seconds(Clock::now().time_since_epoch());
  state.began_at = now;
  if (std::filesystem::exists(directory.decisions(attempt)))
    WriteAheadLog(directory.decisions(attempt), [&](const Logged& record) {
      decide(state, record.event(), record.now());
      now = std::max(now, record.now());
    });
  if (verdict.help.empty()) verdict.help = how_to_go_on(state);
  RunFiles files(directory);
  files.write(job_ended(state, verdict));
  files.write_summary(state, verdict, now);
  return verdict;
}

}  // namespace phalanx::control
