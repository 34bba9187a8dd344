#include "launcher/node/report_link.h"

#include <utility>

namespace phalanx::node {

using protocol::NodeCommand;
using protocol::NodeReport;

void ReportLink::push(NodeReport report) {
  outbox_.push(std::move(report));
  pump();
}

bool ReportLink::accept(const NodeCommand& command) {
  outbox_.acknowledge(command.acknowledged());
  if (!inbox_.accept(command.sequence())) return false;
  owes_acknowledgement_ = true;
  return true;
}

void ReportLink::connected(FramePeer& agent) {
  agent_ = &agent;
  next_ = 1;
  owes_acknowledgement_ = true;
  pump();
}

void ReportLink::pump() {
  const auto& waiting = outbox_.unacknowledged();
  if (waiting.empty()) return;
  const std::uint64_t first = waiting.front().sequence();
  if (next_ < first) next_ = first;
  // What the agent's queue does not take stays here: it is kept once, not twice.
  while (agent_ != nullptr && !agent_->keeps_some() && next_ - first < waiting.size())
    send(waiting[next_++ - first]);
}

void ReportLink::acknowledge() {
  if (owes_acknowledgement_ && agent_ != nullptr && !agent_->keeps_some()) send(NodeReport());
}

void ReportLink::send(NodeReport report) {
  report.set_acknowledged(inbox_.last());
  protocol::ToAgent message;
  *message.mutable_report() = std::move(report);
  // It takes at least one: nothing was kept before.
  if (agent_->send(message.SerializeAsString())) owes_acknowledgement_ = false;
}

}  // namespace phalanx::node
