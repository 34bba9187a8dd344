#include "launcher/trace/clock_alignment.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

namespace phalanx::trace {
namespace {

using protocol::RankTrace;
using protocol::TracedOperation;

// What the ranks that share a clock saw of a collective, by that clock.
struct Visit {
  std::int64_t last_entry = std::numeric_limits<std::int64_t>::min();
  std::int64_t first_exit = std::numeric_limits<std::int64_t>::max();
};
using Meeting = std::map<std::string, Visit>;                                 // by clock
using Meetings = std::map<std::pair<std::uint64_t, std::uint64_t>, Meeting>;  // by key and sequence

// Whether no rank leaves it before all have entered, on any backend. A rank may leave a broadcast,
// gather or scatter without the others, and an all-to-all in which it receives nothing.
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
      Visit& visit = meetings[{span.operation().key(), span.operation().sequence()}][trace.clock()];
      visit.last_entry = std::max(visit.last_entry, span.begin());
      visit.first_exit = std::min(visit.first_exit, span.end());
    }
  }
  return meetings;
}

// What must be added to a clock to give the reference.
struct Bounds {
  std::int64_t least = std::numeric_limits<std::int64_t>::min();
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

// Of the clocks that met the reference.
std::map<std::string, Bounds> bounds_of(const Meetings& meetings, const std::string& reference) {
  std::map<std::string, Bounds> found;
  for (const auto& [key, meeting] : meetings) {
    const auto there = meeting.find(reference);
    if (there == meeting.end()) continue;
    for (const auto& [clock, visit] : meeting) {
      Bounds& bounds = found[clock];
      bounds.least = std::max(bounds.least, there->second.last_entry - visit.first_exit);
      bounds.most = std::min(bounds.most, there->second.first_exit - visit.last_entry);
    }
  }
  return found;
}

}  // namespace

std::map<std::string, ClockAlignment> align_clocks(std::span<const RankTrace> traces) {
  std::map<std::string, ClockAlignment> aligned;
  if (traces.empty()) return aligned;
  const std::string& reference = traces.front().clock();
  const std::int64_t to_time_of_day = traces.front().wall_offset();
  const auto all_bounds = bounds_of(meetings_of(traces), reference);
  for (const RankTrace& trace : traces) {
    const auto [place, is_new] = aligned.try_emplace(trace.clock());
    if (!is_new) continue;
    const auto bounds = all_bounds.find(trace.clock());
    if (trace.clock() == reference) {
      place->second = {.offset = to_time_of_day};
    } else if (bounds != all_bounds.end()) {
      const std::int64_t width = bounds->second.most - bounds->second.least;
      place->second = {.offset = to_time_of_day + bounds->second.least + width / 2,
                       .uncertainty = std::max<std::int64_t>(width, 0) / 2};
    } else {
      place->second = {.offset = trace.wall_offset(), .by_time_of_day = true};
    }
  }
  return aligned;
}

}  // namespace phalanx::trace
