#include "launcher/node/report_link.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/socket.h"

namespace phalanx::node {
namespace {

using protocol::NodeCommand;
using protocol::NodeReport;
using protocol::ToAgent;

NodeReport started(int slot) {
  NodeReport report;
  report.mutable_worker_started()->set_slot(slot);
  return report;
}

// An agent that this test plays.
struct Agent {
  explicit Agent(EventLoop& loop, ReportLink& link) : Agent(loop, link, socket_pair()) {}
  Agent(EventLoop& loop, ReportLink& link, std::pair<FileDescriptor, FileDescriptor> ends)
      : channel(std::move(ends.first)),
        peer(loop, FrameChannel(std::move(ends.second)),
             {[](Frame&) {}, [](const std::string&) {}, [&link] { link.pump(); }}) {}

  // Everything that has come so far.
  std::vector<NodeReport> take() {
    std::vector<NodeReport> reports;
    Frame frame;
    while (channel.receive(frame, TimePoint()) == FrameChannel::Status::kFrame) {
      ToAgent message;
      EXPECT_TRUE(message.ParseFromString(frame.payload));
      reports.push_back(message.report());
    }
    return reports;
  }

  FrameChannel channel;
  FramePeer peer;
};

TEST(ReportLink, SendsWhatIsNotAcknowledgedAgainToTheNextAgent) {
  EventLoop loop;
  ReportLink link;
  link.push(started(1));
  {
    Agent agent(loop, link);
    link.connected(agent.peer);
    link.push(started(2));
    EXPECT_EQ(agent.take().size(), 2u);
    NodeCommand command;
    command.set_acknowledged(1);
    EXPECT_FALSE(link.accept(command));  // it has no number: an acknowledgement alone
    link.disconnected();
  }
  link.push(started(3));
  Agent agent(loop, link);
  link.connected(agent.peer);
  const auto reports = agent.take();
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].sequence(), 2u);
  EXPECT_EQ(reports[1].sequence(), 3u);
}

TEST(ReportLink, ObeysEveryCommandOnceAndAcknowledgesIt) {
  EventLoop loop;
  ReportLink link;
  Agent agent(loop, link);
  link.connected(agent.peer);
  link.acknowledge();
  EXPECT_EQ(agent.take().size(), 1u);
  NodeCommand command;
  command.set_sequence(1);
  EXPECT_TRUE(link.accept(command));
  EXPECT_FALSE(link.accept(command));
  link.acknowledge();
  link.acknowledge();
  const auto reports = agent.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].sequence(), 0u);
  EXPECT_EQ(reports[0].acknowledged(), 1u);
}

// The queue of an agent that does not read fills; once it reads, everything comes in order.
TEST(ReportLink, KeepsOrderWithAnAgentThatIsSlow) {
  EventLoop loop;
  ReportLink link;
  Agent agent(loop, link);
  link.connected(agent.peer);
  constexpr std::uint64_t kReports = 5000;
  for (std::uint64_t i = 0; i < kReports; ++i) link.push(started(static_cast<int>(i)));
  std::uint64_t next = 1;
  while (next <= kReports) {
    const auto reports = agent.take();
    for (const auto& report : reports) EXPECT_EQ(report.sequence(), next++);
    if (next <= kReports) loop.run_once();
  }
}

}  // namespace
}  // namespace phalanx::node
