#pragma once

#include <string>

#include "protocol/trace.pb.h"

namespace phalanx::trace {

// Spans of ranks, as tests make them. Times are nanoseconds.

inline protocol::RankTrace traced_rank(int rank, int node, const std::string& clock,
                                       std::int64_t wall_offset = 0) {
  protocol::RankTrace trace;
  trace.set_rank(rank);
  trace.set_node(node);
  trace.set_clock(clock);
  trace.set_wall_offset(wall_offset);
  return trace;
}

inline protocol::TracedSpan& add_span(protocol::RankTrace& trace, std::int64_t begin,
                                      std::int64_t end, std::int64_t step = 1) {
  auto& span = *trace.add_spans();
  span.set_step(step);
  span.set_begin(begin);
  span.set_end(end);
  return span;
}

inline void add_phase(protocol::RankTrace& trace, const std::string& name, std::int64_t begin,
                      std::int64_t end, std::int64_t step = 1) {
  add_span(trace, begin, end, step).set_phase(name);
}

inline protocol::TracedOperation& add_operation(protocol::RankTrace& trace, const std::string& name,
                                                std::uint64_t sequence, std::int64_t begin,
                                                std::int64_t end) {
  auto& operation = *add_span(trace, begin, end).mutable_operation();
  operation.set_name(name);
  operation.set_group(0);
  operation.set_key(77);
  operation.set_sequence(sequence);
  operation.set_bytes(1024);
  operation.set_issued(begin - 5);
  return operation;
}

}  // namespace phalanx::trace
