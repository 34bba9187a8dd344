#include "runtime/tracer.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "protocol/trace_file.h"

namespace phalanx::runtime {
namespace {

namespace fs = std::filesystem;
using protocol::Trace;

fs::path make_folder() {
  std::string name = (fs::temp_directory_path() / "phalanx-trace.XXXXXX").string();
  return ::mkdtemp(name.data());
}

// A rank's steps: each makes one span if it is recorded.
class TracerTest : public testing::Test {
 protected:
  TracerTest() { fs::create_directories(output().trace("abc")); }
  ~TracerTest() override { fs::remove_all(root_); }

  protocol::RunDirectory output() const { return protocol::RunDirectory(root_); }
  std::vector<protocol::RankTrace> written() const {
    return protocol::read_traces(output().trace("abc"));
  }
  static Trace request(std::int64_t steps, std::uint64_t generation = 1, std::int64_t first = 0) {
    Trace trace;
    trace.set_generation(generation);
    trace.set_id("abc");
    trace.set_steps(steps);
    if (first > 0) trace.set_first_step(first);
    return trace;
  }
  // Whether all ranks waited is what this one did, unless `others` do not.
  void step(std::int64_t number, std::vector<Trace> requests = {}, bool others = true) {
    tracer_.begin_step(generation_, number, std::move(requests));
    const bool all_wait = tracer_.waiting() && others;
    if (tracer_.spans().recording())
      tracer_.spans().add({number, number * 10, number * 10 + 5, protocol::Phase::kForward});
    tracer_.end_step({number, 3, all_wait});
  }
  std::vector<std::int64_t> steps_written() const {
    std::vector<std::int64_t> steps;
    for (const auto& trace : written())
      for (const auto& span : trace.spans()) steps.push_back(span.step());
    return steps;
  }

  const fs::path root_ = make_folder();
  std::uint64_t generation_ = 1;
  Tracer tracer_{output(), 2};
};

TEST_F(TracerTest, BeginsAfterTheStepInWhichAllRanksHadTheRequest) {
  step(1, {request(2)}, false);
  step(2, {}, false);
  step(3);
  step(4);
  EXPECT_TRUE(written().empty()) << "a step is still to come";
  step(5);
  step(6);
  EXPECT_EQ(steps_written(), (std::vector<std::int64_t>{4, 5}));
  const auto trace = written().at(0);
  EXPECT_EQ(trace.rank(), 3);
  EXPECT_EQ(trace.node(), 2);
  EXPECT_EQ(trace.generation(), 1u);
  EXPECT_EQ(trace.spans(0).phase(), "forward");
  EXPECT_GT(trace.wall_offset(), 0);
  EXPECT_FALSE(trace.clock().empty());
  EXPECT_FALSE(tracer_.spans().recording());
  EXPECT_TRUE(tracer_.spans().of_steps(0, 100).spans.empty()) << "it takes no memory any more";
}

TEST_F(TracerTest, RecordsNothingBeforeTheFirstStepAskedFor) {
  step(1, {request(2, 1, 4)});
  for (const std::int64_t number : {2, 3}) {
    step(number);
    EXPECT_FALSE(tracer_.spans().recording());
  }
  for (const std::int64_t number : {4, 5}) step(number);
  EXPECT_EQ(steps_written(), (std::vector<std::int64_t>{4, 5}));
}

TEST_F(TracerTest, ServesSeveralRequestsAtOnce) {
  auto second = request(3);
  second.set_id("def");
  fs::create_directories(output().trace("def"));
  step(1, {request(5), second});
  step(2);
  for (const std::int64_t number : {3, 4, 5, 6}) step(number);
  EXPECT_EQ(steps_written(), (std::vector<std::int64_t>{2, 3, 4, 5, 6}));
  const auto traces = protocol::read_traces(output().trace("def"));
  ASSERT_EQ(traces.size(), 1u);
  ASSERT_EQ(traces[0].spans_size(), 3);
  EXPECT_EQ(traces[0].spans(0).step(), 3) << "requests take effect one after another";
}

TEST_F(TracerTest, ForgetsWhatIsOfAnotherGeneration) {
  step(1, {request(3)});
  step(2);
  generation_ = 2;
  step(2, {request(3)});
  EXPECT_FALSE(tracer_.waiting());
  for (const std::int64_t number : {3, 4, 5}) step(number);
  EXPECT_TRUE(written().empty());
}

TEST_F(TracerTest, WritesWhatThereIsWhenTheRunEnds) {
  step(1, {request(100)});
  step(2);
  step(3);
  tracer_.finish(3);
  EXPECT_EQ(steps_written(), (std::vector<std::int64_t>{2, 3}));
}

TEST_F(TracerTest, GoesOnWhenNobodyWaitsForItsFileAnyMore) {
  step(1, {request(1)});
  fs::remove_all(output().trace("abc"));
  step(2);
  step(3);
  EXPECT_FALSE(tracer_.spans().recording());
}

}  // namespace
}  // namespace phalanx::runtime
