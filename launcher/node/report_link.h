#pragma once

#include "launcher/node/frame_peer.h"
#include "protocol/messages.pb.h"
#include "protocol/reliable_link.h"

namespace phalanx::node {

// The keeper's end of the link to the controller: every report arrives once and in order, whichever
// agent relays it and whichever controller is there.
class ReportLink {
 public:
  // The report waits here until it is acknowledged.
  void push(protocol::NodeReport report);
  // Takes in what the command acknowledges. True when the command is new: obey it.
  bool accept(const protocol::NodeCommand& command);

  // The agent has a new connection: everything that is not acknowledged goes over it.
  void connected(FramePeer& agent);
  // There is no connection until the next connected().
  void disconnected() { agent_ = nullptr; }
  // Sends what the agent takes now.
  void pump();
  // Tells the controller which commands have been obeyed, when no report is there to carry it.
  void acknowledge();

  std::size_t waiting() const { return outbox_.unacknowledged().size(); }

 private:
  void send(protocol::NodeReport report);

  protocol::Outbox<protocol::NodeReport> outbox_;
  protocol::Inbox inbox_;
  FramePeer* agent_ = nullptr;
  std::uint64_t next_ = 1;  // sequence of the first report that has not been sent
  bool owes_acknowledgement_ = false;
};

}  // namespace phalanx::node
