#include "launcher/control/tracing.h"

#include <gtest/gtest.h>

#include "tests/control/scenario.h"

namespace phalanx::control {
namespace {

using protocol::NodeCommand;

Event wish(std::int64_t steps, std::int64_t first_step = 0) {
  Event event;
  event.mutable_trace()->set_id("abc");
  event.mutable_trace()->set_steps(steps);
  if (first_step > 0) event.mutable_trace()->set_first_step(first_step);
  return event;
}

TEST(Tracing, AsksEveryRankOfTheGenerationAtWork) {
  Scenario job;
  job.begin();
  job.train_to(10);
  const Event event = wish(3, 20);
  job.tell(event);
  const auto commands = job.commands(NodeCommand::kTrace);
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(job.last<Send>()[0].node, kAllNodes);
  EXPECT_EQ(commands[0].trace().generation(), 1u);
  EXPECT_EQ(commands[0].trace().id(), "abc");
  EXPECT_EQ(commands[0].trace().first_step(), 20);
  EXPECT_EQ(commands[0].trace().steps(), 3);
  EXPECT_EQ(job.events("trace_requested").size(), 1u);
  const auto answer = trace_answer(job.state, event.trace());
  EXPECT_EQ(answer.generation(), 1u);
  EXPECT_EQ(answer.step(), 10);
  EXPECT_EQ(answer.last_step(), 100);
  EXPECT_EQ(answer.ranks(), 4);
}

TEST(Tracing, AsksNobodyWhileAGenerationForms) {
  Scenario job;
  job.begin();
  job.train_to(10);
  job.die(1);
  job.tell(wish(3));
  EXPECT_TRUE(job.commands(NodeCommand::kTrace).empty());
  EXPECT_EQ(trace_answer(job.state, wish(3).trace()).generation(), 0u);
  job.rejoin(10, {1});
  job.tell(wish(3));
  ASSERT_EQ(job.commands(NodeCommand::kTrace).size(), 1u);
  EXPECT_EQ(job.commands(NodeCommand::kTrace)[0].trace().generation(), 2u);
}

TEST(Tracing, AsksNobodyForStepsThatAreNotToCome) {
  Scenario job;
  job.begin();
  job.train_to(10);
  for (const Event& event : {wish(3, 10), wish(3, 101), wish(0)}) {
    job.tell(event);
    EXPECT_TRUE(job.commands(NodeCommand::kTrace).empty());
    EXPECT_EQ(trace_answer(job.state, event.trace()).generation(), 0u);
  }
  job.tell(wish(3, 11));
  EXPECT_EQ(job.commands(NodeCommand::kTrace).size(), 1u);
}

}  // namespace
}  // namespace phalanx::control
