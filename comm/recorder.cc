#include "comm/recorder.h"

#include "base/clock.h"

namespace phalanx::comm {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
std::int64_t now() { return Clock::now().time_since_epoch() / std::chrono::nanoseconds(1); }

}  // namespace

Recorder::Ticket Recorder::issued(const OperationInfo& info) {
  if (box_ == nullptr) return {};
  const Ticket ticket{box_->collectives_issued.load(kRelaxed) + 1, now()};
  auto& record = box_->collectives[(ticket.number - 1) % protocol::BlackBox::kCollectives];
  record.sequence.store(0, kRelaxed);
  record.group.store(static_cast<std::uint32_t>(info.group), kRelaxed);
  record.operation.store(static_cast<std::uint32_t>(info.operation), kRelaxed);
  record.bytes.store(info.bytes, kRelaxed);
  record.issued.store(ticket.issued, kRelaxed);
  record.started.store(0, kRelaxed);
  record.finished.store(0, kRelaxed);
  record.sequence.store(info.sequence, kRelaxed);
  box_->collectives_issued.store(ticket.number, kRelaxed);
  return ticket;
}

void Recorder::started(Ticket& ticket) {
  if (ticket.number == 0) return;
  ticket.started = now();
  if (auto* record = find(ticket)) record->started.store(ticket.started, kRelaxed);
}

void Recorder::finished(const Ticket& ticket, const OperationInfo& info) {
  if (ticket.number == 0) return;
  const std::int64_t finished = now();
  if (auto* record = find(ticket)) record->finished.store(finished, kRelaxed);
  if (spans_ == nullptr || !spans_->recording()) return;
  spans_->add(
      {box_->step.load(kRelaxed), ticket.started, finished,
       protocol::OperationSpan{static_cast<std::uint32_t>(info.operation), info.group, info.key,
                               info.sequence, info.bytes, info.peer, ticket.issued}});
}

protocol::CollectiveRecord* Recorder::find(const Ticket& ticket) const {
  constexpr std::uint64_t kKept = protocol::BlackBox::kCollectives;
  if (box_->collectives_issued.load(kRelaxed) >= ticket.number + kKept) return nullptr;
  return &box_->collectives[(ticket.number - 1) % kKept];
}

}  // namespace phalanx::comm
