#include "runtime/tracer.h"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "comm/group.h"
#include "protocol/trace_file.h"

namespace phalanx::runtime {
namespace {

using protocol::OperationSpan;
using protocol::Phase;
using protocol::TracedSpan;

// Steady clocks differ between boots of hosts, and between time namespaces (time_namespaces(7)).
std::string clock_name() {
  std::error_code error;
  std::string boot = read_file("/proc/sys/kernel/random/boot_id");
  while (boot.ends_with('\n')) boot.pop_back();
  return boot + " " + std::filesystem::read_symlink("/proc/self/ns/time", error).string();
}

std::int64_t nanoseconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// The words of metrics.jsonl, where the black box has its own.
const char* name_of(Phase phase) {
  if (phase == Phase::kCommit) return "exposed communication";
  if (phase == Phase::kSaving) return "snapshot";
  return protocol::phase_name(phase);
}

void describe(const OperationSpan& span, protocol::TracedOperation& out) {
  out.set_name(comm::operation_name(static_cast<comm::Operation>(span.operation)));
  out.set_group(span.group);
  out.set_key(span.key);
  out.set_sequence(span.sequence);
  out.set_bytes(span.bytes);
  if (span.peer >= 0) out.set_peer(span.peer);
  out.set_issued(span.issued);
}

TracedSpan describe(const protocol::Span& span) {
  TracedSpan out;
  out.set_step(span.step);
  out.set_begin(span.begin);
  out.set_end(span.end);
  if (const auto* phase = std::get_if<Phase>(&span.what))
    out.set_phase(name_of(*phase));
  else
    describe(std::get<OperationSpan>(span.what), *out.mutable_operation());
  return out;
}

}  // namespace

void Tracer::begin_step(std::uint64_t generation, std::int64_t step,
                        std::vector<protocol::Trace> requests) {
  if (generation != generation_) follow(generation);
  for (auto& request : requests)
    if (request.generation() == generation_) requests_.push_back(std::move(request));
  spans_.record(std::ranges::any_of(traced_, [&](const auto& one) { return one.first <= step; }));
}

void Tracer::end_step(const Ended& ended) {
  const bool tracing = !traced_.empty();
  std::erase_if(traced_, [&](const Traced& traced) {
    if (traced.last > ended.step) return false;
    write(traced, ended.rank);
    return true;
  });
  if (tracing && traced_.empty()) spans_.clear();
  if (!ended.all_wait) return;
  const auto& request = requests_.front();
  const std::int64_t first = std::max(request.first_step(), ended.step + 1);
  traced_.push_back({request.id(), first, first + request.steps() - 1});
  requests_.pop_front();
}

void Tracer::finish(int rank) {
  for (const auto& traced : traced_) write(traced, rank);
  follow(generation_);
}

// The requests of before are void.
void Tracer::follow(std::uint64_t generation) {
  generation_ = generation;
  requests_.clear();
  traced_.clear();
  spans_.record(false);
  spans_.clear();
}

void Tracer::write(const Traced& traced, int rank) const {
  const auto content = spans_.of_steps(traced.first, traced.last);
  if (content.spans.empty()) return;  // the run ended before
  protocol::RankTrace trace;
  trace.set_rank(rank);
  trace.set_node(node_);
  trace.set_generation(generation_);
  trace.set_first_step(traced.first);
  trace.set_last_step(traced.last);
  trace.set_clock(clock_name());
  trace.set_wall_offset(nanoseconds_of(CLOCK_REALTIME) - nanoseconds_of(CLOCK_MONOTONIC));
  trace.set_dropped(content.dropped);
  for (const auto& span : content.spans) *trace.add_spans() = describe(span);
  try {
    protocol::write_trace(output_.trace(traced.id), trace);
  } catch (const StorageError& error) {
    std::fprintf(stderr, "the trace of steps %lld to %lld is not written: %s\n",
                 static_cast<long long>(traced.first), static_cast<long long>(traced.last),
                 error.what());
  }
}

}  // namespace phalanx::runtime
