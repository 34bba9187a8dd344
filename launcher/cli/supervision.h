#pragma once

#include <vector>

#include "base/file_descriptor.h"
#include "config/job.h"
#include "protocol/messages.pb.h"

namespace phalanx::launcher {

// The foreground of a run: starts the keepers, shows what happens, passes on Ctrl-C and SIGTERM
// (save and stop; a second Ctrl-C: stop now), notices keepers that die, and returns the run's exit
// code when everything below has ended. `lock` is the output's; everything below inherits it.
int supervise(const config::Job& job, int attempt, const std::vector<protocol::KeeperStart>& starts,
              const FileDescriptor& lock);

}  // namespace phalanx::launcher
