#include "launcher/trace/clock_alignment.h"

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

namespace phalanx::trace {
namespace {

using protocol::RankTrace;
using protocol::TracedOperation;

using Clocks = std::map<std::string, std::int64_t>;  // a time on each

// What the ranks of each host saw of one collective.
struct Meeting {
  Clocks last_entry, first_exit;
};
using Meetings = std::map<std::pair<std::uint64_t, std::uint64_t>, Meeting>;  // by key and sequence

// Whether no rank leaves it before all have entered.
bool awaits_all(const TracedOperation& operation) {
  static const std::set<std::string> kNames = {"all_reduce", "reduce_scatter", "all_gather",
                                               "barrier"};
  return kNames.contains(operation.name());
}

Meetings meetings_of(std::span<const RankTrace> traces) {
  Meetings meetings;
  for (const RankTrace& trace : traces) {
    for (const auto& span : trace.spans()) {
      if (!span.has_operation() || !awaits_all(span.operation())) continue;
      Meeting& meeting = meetings[{span.operation().key(), span.operation().sequence()}];
      auto& entry = meeting.last_entry.try_emplace(trace.clock(), span.begin()).first->second;
      auto& exit = meeting.first_exit.try_emplace(trace.clock(), span.end()).first->second;
      entry = std::max(entry, span.begin());
      exit = std::min(exit, span.end());
    }
  }
  return meetings;
}

// What must be added to `clock` to give `reference`, both steady clocks.
struct Bounds {
  std::int64_t least = std::numeric_limits<std::int64_t>::min();
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  bool both() const {
    return least != std::numeric_limits<std::int64_t>::min() &&
           most != std::numeric_limits<std::int64_t>::max();
  }
};

Bounds bounds_of(const Meetings& meetings, const std::string& clock, const std::string& reference) {
  Bounds bounds;
  for (const auto& [key, meeting] : meetings) {
    if (!meeting.last_entry.contains(clock) || !meeting.last_entry.contains(reference)) continue;
    bounds.least =
        std::max(bounds.least, meeting.last_entry.at(reference) - meeting.first_exit.at(clock));
    bounds.most =
        std::min(bounds.most, meeting.first_exit.at(reference) - meeting.last_entry.at(clock));
  }
  return bounds;
}

}  // namespace

std::map<std::string, ClockAlignment> align_clocks(std::span<const RankTrace> traces) {
  std::map<std::string, ClockAlignment> aligned;
  if (traces.empty()) return aligned;
  const auto meetings = meetings_of(traces);
  const std::string& reference = traces.front().clock();
  const std::int64_t to_time_of_day = traces.front().wall_offset();
  for (const RankTrace& trace : traces) {
    if (aligned.contains(trace.clock())) continue;
    ClockAlignment& alignment = aligned[trace.clock()];
    const Bounds bounds = bounds_of(meetings, trace.clock(), reference);
    if (trace.clock() == reference) {
      alignment.offset = to_time_of_day;
    } else if (bounds.both()) {
      const std::int64_t width = bounds.most - bounds.least;
      alignment.offset = to_time_of_day + bounds.least + width / 2;
      alignment.uncertainty = std::max<std::int64_t>(width, 0) / 2;
    } else {
      alignment.offset = trace.wall_offset();
      alignment.by_time_of_day = true;
    }
  }
  return aligned;
}

}  // namespace phalanx::trace
