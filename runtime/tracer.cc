#include "runtime/tracer.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "base/clock.h"
#include "base/error.h"
#include "comm/group.h"
#include "protocol/run_directory.h"
#include "protocol/trace_file.h"

namespace phalanx::runtime {
namespace {

using protocol::CollectiveSpan;
using protocol::TracedSpan;

// From this process's steady clock to the time of day, which the nodes of a run share.
std::int64_t steady_to_wall() {
  const auto steady = Clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  return static_cast<std::int64_t>(wall_seconds() * 1e9) - steady;
}

void describe(const CollectiveSpan& span, std::int64_t shift, protocol::TracedCollective& out) {
  out.set_operation(comm::operation_name(static_cast<comm::Operation>(span.operation)));
  out.set_group(span.group);
  out.set_key(span.key);
  out.set_sequence(span.sequence);
  out.set_bytes(span.bytes);
  if (span.peer >= 0) out.set_peer(span.peer);
  out.set_issued(span.issued + shift);
}

TracedSpan describe(const protocol::Span& span, std::int64_t shift) {
  TracedSpan out;
  out.set_generation(span.generation);
  out.set_step(span.step);
  out.set_begin(span.begin + shift);
  out.set_end(span.end + shift);
  if (const auto* phase = std::get_if<protocol::Phase>(&span.what))
    out.set_phase(protocol::phase_name(*phase));
  else
    describe(std::get<CollectiveSpan>(span.what), shift, *out.mutable_collective());
  return out;
}

void write(const protocol::Trace& wanted, const protocol::Start& start, int rank,
           const protocol::SpanRing& spans) {
  protocol::RankTrace trace;
  trace.set_rank(rank);
  trace.set_node(start.node());
  const auto content = spans.of_steps(wanted.first_step(), wanted.last_step());
  trace.set_dropped(content.dropped);
  const std::int64_t shift = steady_to_wall();
  for (const auto& span : content.spans) *trace.add_spans() = describe(span, shift);
  try {
    protocol::append_trace(protocol::RunDirectory(start.output()).trace(wanted.id()), trace);
  } catch (const StorageError& error) {
    std::fprintf(stderr, "the trace of steps %lld to %lld is not written: %s\n",
                 static_cast<long long>(wanted.first_step()),
                 static_cast<long long>(wanted.last_step()), error.what());
  }
}

}  // namespace

void Tracer::begin_step(std::int64_t step) {
  for (auto& trace : keeper_.take_traces()) wanted_.push_back(std::move(trace));
  spans_.record(std::ranges::any_of(
      wanted_, [&](const auto& trace) { return trace.first_step() <= step; }));
}

void Tracer::end_step(std::int64_t step, int rank) {
  const auto complete = std::ranges::stable_partition(
      wanted_, [&](const auto& trace) { return trace.last_step() > step; });
  if (complete.empty()) return;
  for (const auto& trace : complete) write(trace, keeper_.start(), rank, spans_);
  wanted_.erase(complete.begin(), complete.end());
  if (!wanted_.empty()) return;
  spans_.record(false);
  spans_.clear();
}

void Tracer::finish(int rank) { end_step(std::numeric_limits<std::int64_t>::max(), rank); }

}  // namespace phalanx::runtime
