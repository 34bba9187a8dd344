#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/memory_file.h"
#include "protocol/messages.pb.h"

namespace phalanx::node {

// A worker writes its heartbeat about five times a second, from a thread of its own: 10 s without
// one mean that the whole process does not run (stopped, swapped out, or its host is overloaded
// beyond use). One that has not begun to write is starting and has 120 s.
constexpr Duration kLongestSilence = std::chrono::seconds(10);
constexpr Duration kLongestStart = std::chrono::seconds(120);

// How long a worker has been silent, when that is too long. `heartbeat` is its black box's;
// `watched_since` and `now` are on the clock that it is written from.
std::optional<Duration> too_silent(std::int64_t heartbeat, TimePoint watched_since, TimePoint now);

// Reads the black boxes of a node's workers.
class Detectors {
 public:
  // From now on the slot's worker is `pid`. Throws SystemError.
  void watch(int slot, pid_t pid, const FileDescriptor& black_box, TimePoint now);
  // The workers that have been silent for too long; each is named once.
  std::vector<protocol::WorkerSilent> look(TimePoint now);

 private:
  struct Watched {
    pid_t pid = 0;
    TimePoint since;
    bool reported = false;
    MemoryMapping black_box;
  };
  std::map<int, Watched> slots_;
};

}  // namespace phalanx::node
