#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "launcher/control/action.h"
#include "protocol/reliable_link.h"

namespace phalanx::control {

// A connection to an agent. Sending never blocks and never fails: what a broken connection does not
// deliver is sent again over the next one.
class AgentConnection {
 public:
  virtual ~AgentConnection() = default;
  // A NodeCommand as the bytes of its kind (null: none), its number (0: none), and the number of
  // the last report taken in.
  virtual void send(std::shared_ptr<const std::string> kind, std::uint64_t sequence,
                    std::uint64_t acknowledged) = 0;
  // Ends it after what was sent.
  virtual void close() = 0;
};

// The commands to and the reports of every node, each delivered once and in order, over whatever
// connections come and go. For one thread.
class AgentLinks {
 public:
  explicit AgentLinks(int nodes) : nodes_(static_cast<std::size_t>(nodes)) {}

  // True: `report` is the next of that node, to be decided on. False: it was seen before, or is an
  // acknowledgement only.
  bool accept(int node, const protocol::NodeReport& report);
  // The reports accepted so far are in the log: tells their nodes, who may forget them.
  void acknowledge();

  void push(const Send& send);

  // The new connection replaces an older one, and is sent all that has not been acknowledged.
  void attach(int node, std::shared_ptr<AgentConnection> connection);
  // True when that was the node's connection, and not one that has been replaced.
  bool detach(int node, const AgentConnection* connection);
  void close_all();

 private:
  // Numbered for one node, shared by all that it goes to.
  struct Outgoing {
    std::shared_ptr<const std::string> kind;
    std::uint64_t number = 0;
    void set_sequence(std::uint64_t sequence) { number = sequence; }
    std::uint64_t sequence() const { return number; }
  };
  struct Node {
    protocol::Outbox<Outgoing> outbox;
    protocol::Inbox inbox;
    std::uint64_t acknowledged = 0;
    bool owes_acknowledgement = false;
    std::shared_ptr<AgentConnection> connection;
  };

  void push_to(Node& node, const std::shared_ptr<const std::string>& kind);
  void owe(int node);

  std::vector<Node> nodes_;
  std::vector<int> owing_;  // nodes with reports that are not acknowledged
};

}  // namespace phalanx::control
