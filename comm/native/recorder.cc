#include "comm/native/recorder.h"

#include "base/clock.h"

namespace phalanx::comm {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
std::int64_t now() { return Clock::now().time_since_epoch() / std::chrono::nanoseconds(1); }

}  // namespace

Recorder::Ticket Recorder::issued(const OperationInfo& info) {
  if (box_ == nullptr) return 0;
  const Ticket ticket = box_->collectives_issued.load(kRelaxed) + 1;
  auto& record = box_->collectives[(ticket - 1) % protocol::BlackBox::kCollectives];
  record.sequence.store(0, kRelaxed);
  record.group.store(static_cast<std::uint32_t>(info.group), kRelaxed);
  record.operation.store(static_cast<std::uint32_t>(info.operation), kRelaxed);
  record.key.store(info.key, kRelaxed);
  record.peer.store(info.peer, kRelaxed);
  record.bytes.store(info.bytes, kRelaxed);
  record.issued.store(now(), kRelaxed);
  record.started.store(0, kRelaxed);
  record.finished.store(0, kRelaxed);
  record.sequence.store(info.sequence, kRelaxed);
  box_->collectives_issued.store(ticket, kRelaxed);
  return ticket;
}

void Recorder::started(Ticket ticket) {
  if (auto* record = find(ticket)) record->started.store(now(), kRelaxed);
}

void Recorder::finished(Ticket ticket) {
  auto* record = find(ticket);
  if (record == nullptr) return;
  record->finished.store(now(), kRelaxed);
  if (spans_ == nullptr || !spans_->recording()) return;
  spans_->add({box_->generation.load(kRelaxed), box_->step.load(kRelaxed),
               record->started.load(kRelaxed), record->finished.load(kRelaxed),
               protocol::CollectiveSpan{
                   record->group.load(kRelaxed), record->operation.load(kRelaxed),
                   record->key.load(kRelaxed), record->sequence.load(kRelaxed),
                   record->bytes.load(kRelaxed), record->peer.load(kRelaxed),
                   record->issued.load(kRelaxed)}});
}

protocol::CollectiveRecord* Recorder::find(Ticket ticket) const {
  constexpr std::uint64_t kKept = protocol::BlackBox::kCollectives;
  if (ticket == 0 || box_->collectives_issued.load(kRelaxed) >= ticket + kKept) return nullptr;
  return &box_->collectives[(ticket - 1) % kKept];
}

}  // namespace phalanx::comm
