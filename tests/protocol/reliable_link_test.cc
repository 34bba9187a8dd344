#include "protocol/reliable_link.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "protocol/messages.pb.h"

namespace phalanx::protocol {
namespace {

NodeReport started(int slot) {
  NodeReport report;
  report.mutable_worker_started()->set_slot(slot);
  return report;
}

// Channels break at random, with what is in flight lost at any point; nothing may arrive twice, out
// of order or never.
TEST(ReliableLink, DeliversEverythingOnceInOrderOverBreakingChannels) {
  std::mt19937 random(7);
  Outbox<NodeReport> outbox;
  Inbox inbox;
  std::vector<int> taken;
  for (int i = 0; i < 200; ++i) {
    outbox.push(started(i));
    // A new channel: all that is not acknowledged is sent, and a random prefix of it arrives.
    const auto sent = outbox.unacknowledged();
    const std::size_t arrived = i == 199 ? sent.size() : random() % (sent.size() + 1);
    for (std::size_t j = 0; j < arrived; ++j)
      if (inbox.accept(sent[j].sequence())) taken.push_back(sent[j].worker_started().slot());
    if (random() % 3 == 0) outbox.acknowledge(inbox.last());  // acknowledgements are lost too
  }
  ASSERT_EQ(taken.size(), 200u);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(taken[static_cast<std::size_t>(i)], i);
}

TEST(ReliableLink, RefusesAMessageThatCameBeforeItsPredecessor) {
  Inbox inbox;
  EXPECT_FALSE(inbox.accept(2));
  EXPECT_TRUE(inbox.accept(1));
  EXPECT_TRUE(inbox.accept(2));
  EXPECT_FALSE(inbox.accept(2));
}

}  // namespace
}  // namespace phalanx::protocol
