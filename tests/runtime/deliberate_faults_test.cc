#include "tests/runtime/deliberate_faults.h"

#include <gtest/gtest.h>

#include <mutex>

#include "tests/runtime/parity.h"

namespace phalanx::runtime {
namespace {

class Watched : public SmallJob {
 protected:
  Watched() { job_.train.precision = "fp64"; }
  // The outcome of the job with the groups of each rank watched.
  Outcome watched(std::shared_ptr<const Fault> fault) {
    std::vector<std::unique_ptr<Watch>> watches;
    interference_.groups = [&, before = interference_.groups](int rank, MeshGroups& groups) {
      if (before) before(rank, groups);
      auto watch = std::make_unique<Watch>(rank, fault);
      watch->wrap(groups);
      const std::lock_guard lock(mutex);
      watches.push_back(std::move(watch));
    };
    auto found = outcome();
    interference_.groups = nullptr;
    return found;
  }
  std::mutex mutex;
};

class DeliberateFaults : public Watched, public testing::WithParamInterface<DeliberateFault> {};

// The same model in the same layout is right without the fault, and in none right with it.
TEST_P(DeliberateFaults, AreFoundByTheGate) {
  const auto& [name, where, layout, fault, batches, step, job, groups] = GetParam();
  layout(job_);
  const auto& parallel = job_.parallel;
  job_.parallel.data = std::max<std::int64_t>(1, parallel.data);
  job_.launch.ranks_per_node =
      job_.parallel.data * parallel.tensor * parallel.pipeline * parallel.context;
  const auto expected = outcome_of(alone());
  ASSERT_FALSE(first_difference(job_.model, outcome(), expected)) << "without the fault";
  interference_.batches = batches;
  interference_.step = step;
  interference_.job = job;
  interference_.groups = groups;
  const auto difference = first_difference(job_.model, watched(fault), expected);
  ASSERT_TRUE(difference) << "went unnoticed: " << name;
  EXPECT_EQ(difference->where, where) << name << ": differs by " << difference->error;
}

INSTANTIATE_TEST_SUITE_P(Each, DeliberateFaults, testing::ValuesIn(deliberate_faults()));

TEST_F(Watched, GroupsChangeNothingByThemselves) {
  job_.parallel.tensor = job_.parallel.pipeline = job_.parallel.context = 2;
  job_.parallel.zero_stage = 3;
  job_.launch.ranks_per_node = 8;
  const auto plain = outcome();
  EXPECT_TRUE(watched(nullptr) == plain);
  // Nor do they where a fault might come but does not.
  EXPECT_TRUE(watched(std::make_shared<const Fault>(Fault{
                  .axis = WatchedAxis::kReplicas, .first = 1 << 30, .result = [](Arrived) {}})) ==
              plain);
}

}  // namespace
}  // namespace phalanx::runtime
