#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "protocol/trace.pb.h"

namespace phalanx::trace {

// From a host's steady clock to the one time of a trace.
struct ClockAlignment {
  std::int64_t offset = 0;       // nanoseconds to add
  std::int64_t uncertainty = 0;  // at most this far from the truth, as far as drift allows
  bool by_time_of_day = false;   // nothing better was there: as far off as the hosts' clocks are
};

// The alignment of each clock that the ranks' times are of; the time is that of day on the host of
// the first rank. A collective that no rank leaves before all have entered bounds the difference of
// two clocks from both sides: no rank of one host left before the last of the other entered. Of all
// bounds the tightest count, and the middle between them is taken (Cristian 1989, "Probabilistic
// clock synchronization", with a collective in the place of the round trip). Clocks that share no
// such collective are aligned by the hosts' time of day.
std::map<std::string, ClockAlignment> align_clocks(std::span<const protocol::RankTrace> traces);

}  // namespace phalanx::trace
