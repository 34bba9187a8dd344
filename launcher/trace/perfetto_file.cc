#include "launcher/trace/perfetto_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "launcher/trace/flows.h"
#include "launcher/trace/perfetto.pb.h"

namespace phalanx::trace {
namespace {

using perfetto::TracePacket;
using perfetto::TrackEvent;
using protocol::RankTrace;
using protocol::TracedOperation;
using protocol::TracedSpan;

// Writes one rank's part.
class RankPart {
 public:
  RankPart(const RankTrace& trace, std::int64_t offset, const Flows& flows)
      : trace_(trace), offset_(offset), flows_(flows) {}

  std::string content() {
    describe_process();
    std::map<std::int64_t, std::vector<const TracedSpan*>> steps;
    for (const auto& span : trace_.spans()) {
      if (span.has_operation())
        add_operation(span);
      else
        steps[span.step()].push_back(&span);
    }
    for (const auto& [step, phases] : steps) add_step(step, phases);
    // Stable: what ends at a time comes before what begins then, as it was added.
    std::ranges::stable_sort(events_, {}, &TracePacket::timestamp);
    for (auto& event : events_) *out_.add_packet() = std::move(event);
    return out_.SerializeAsString();
  }

 private:
  // Ids of tracks are the trace's; the low 16 bits count a rank's.
  std::uint64_t process() const { return static_cast<std::uint64_t>(trace_.rank() + 1) << 16; }
  std::uint64_t main_thread() const { return process() + 1; }
  int process_id() const { return trace_.rank() + 1; }
  std::uint32_t sequence() const { return static_cast<std::uint32_t>(process_id()); }

  perfetto::TrackDescriptor& add_track(std::uint64_t uuid) {
    TracePacket& packet = *out_.add_packet();
    packet.set_trusted_packet_sequence_id(sequence());
    packet.mutable_track_descriptor()->set_uuid(uuid);
    return *packet.mutable_track_descriptor();
  }

  void describe_process() {
    auto& rank = add_track(process());
    rank.set_child_ordering(perfetto::TrackDescriptor::EXPLICIT);
    rank.mutable_process()->set_pid(process_id());
    rank.mutable_process()->set_legacy_sort_index(trace_.rank());
    rank.mutable_process()->set_process_name(
        fmt::format("rank {} (node {})", trace_.rank(), trace_.node()));
    auto& thread = *add_track(main_thread()).mutable_thread();
    thread.set_pid(process_id());
    thread.set_tid(process_id());
    thread.set_thread_name("main thread");
  }

  std::uint64_t track_of(const TracedOperation& operation) {
    const bool message = operation.has_peer();
    const bool sends = message && operation.name() == "send";
    const std::tuple key(operation.group(), message ? operation.peer() : -1, sends);
    const auto [found, is_new] = tracks_.try_emplace(key, main_thread() + 1 + tracks_.size());
    if (!is_new) return found->second;
    auto& track = add_track(found->second);
    track.set_parent_uuid(process());
    track.set_sibling_order_rank(static_cast<int>(tracks_.size()));
    track.set_name(message ? fmt::format("group {}: {} rank {}", operation.group(),
                                         sends ? "to" : "from", operation.peer())
                           : fmt::format("group {}: collectives", operation.group()));
    return found->second;
  }

  TrackEvent& add_event(TrackEvent::Type type, std::uint64_t track, std::int64_t time) {
    TracePacket& packet = events_.emplace_back();
    packet.set_timestamp(static_cast<std::uint64_t>(time + offset_));
    packet.set_trusted_packet_sequence_id(sequence());
    packet.mutable_track_event()->set_type(type);
    packet.mutable_track_event()->set_track_uuid(track);
    return *packet.mutable_track_event();
  }

  // A step with its phases, from the first one's begin to the last one's end.
  void add_step(std::int64_t step, const std::vector<const TracedSpan*>& phases) {
    add_phase("step", fmt::format("step {}", step), phases.front()->begin());
    for (const TracedSpan* phase : phases) {
      add_phase("phase", phase->phase(), phase->begin());
      add_event(TrackEvent::TYPE_SLICE_END, main_thread(), phase->end());
    }
    add_event(TrackEvent::TYPE_SLICE_END, main_thread(), phases.back()->end());
  }

  void add_phase(const char* category, const std::string& name, std::int64_t begin) {
    auto& event = add_event(TrackEvent::TYPE_SLICE_BEGIN, main_thread(), begin);
    event.add_categories(category);
    event.set_name(name);
  }

  void add_operation(const TracedSpan& span) {
    const TracedOperation& operation = span.operation();
    const std::uint64_t track = track_of(operation);
    const std::uint64_t flow = flows_.of(trace_.rank(), operation);
    auto& begin = add_event(TrackEvent::TYPE_SLICE_BEGIN, track, span.begin());
    begin.add_categories(operation.has_peer() ? "message" : "collective");
    begin.set_name(operation.name());
    const auto annotate = [&](const char* name, std::int64_t value) {
      begin.add_debug_annotations()->set_name(name);
      begin.mutable_debug_annotations()->rbegin()->set_int_value(value);
    };
    annotate("step", span.step());
    annotate("bytes", static_cast<std::int64_t>(operation.bytes()));
    annotate("group", operation.group());
    annotate("sequence", static_cast<std::int64_t>(operation.sequence()));
    annotate("waited_for_its_turn_ns", span.begin() - operation.issued());
    const bool receives = operation.has_peer() && operation.name() != "send";
    if (flow > 0 && !receives) begin.add_flow_ids(flow);
    auto& end = add_event(TrackEvent::TYPE_SLICE_END, track, span.end());
    if (flow > 0 && receives) end.add_flow_ids(flow);
  }

  const RankTrace& trace_;
  const std::int64_t offset_;
  const Flows& flows_;
  perfetto::Trace out_;
  std::vector<TracePacket> events_;
  std::map<std::tuple<int, int, bool>, std::uint64_t> tracks_;
};

}  // namespace

PerfettoFile perfetto_file(std::span<const RankTrace> traces,
                           const std::map<std::string, ClockAlignment>& clocks) {
  const Flows flows(traces);
  PerfettoFile file;
  file.flows = flows.count();
  for (const RankTrace& trace : traces) {
    file.content += RankPart(trace, clocks.at(trace.clock()).offset, flows).content();
    file.spans += trace.spans_size();
  }
  return file;
}

}  // namespace phalanx::trace
