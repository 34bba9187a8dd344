// A rank of any layout is killed: it is replaced, and nobody can tell from the losses or from the
// final state.
#include <gtest/gtest.h>
#include <signal.h>

#include <ostream>

#include "tests/system/kills.h"

namespace phalanx::system_test {
namespace {

struct Layout {
  const char* name;
  Arguments keys;
  const char* rung;  // what recovery goes on from: nothing else has the state of the dead

  friend std::ostream& operator<<(std::ostream& out, const Layout& layout) {
    return out << layout.name;
  }
};
const Layout kLayouts[] = {
    {"TensorRanks", {"--parallel.tensor=2"}, "replica"},
    {"StagesAndTensorRanks",
     {"--parallel.tensor=2", "--parallel.pipeline=2", "--parallel.schedule=zb_h1"},
     "checkpoint"},
    {"StagesInAV",
     {"--parallel.pipeline=2", "--parallel.schedule=zb_v", "--parallel.virtual_stages=2"},
     "replica"},
    {"ContextRanks", {"--parallel.context=2"}, "replica"},
    {"ContextRanksAlone", {"--parallel.context=4"}, "replica"},
    {"Zero1", {"--parallel.zero_stage=1"}, "checkpoint"},
    {"Zero3", {"--parallel.zero_stage=3"}, "checkpoint"},
    {"Zero3OnStages", {"--parallel.zero_stage=3", "--parallel.pipeline=2"}, "checkpoint"},
};

Arguments arguments(const Layout& layout) {
  Arguments all = {"--train.steps=300", "--checkpoint.every=20"};
  all.insert(all.end(), layout.keys.begin(), layout.keys.end());
  return all;
}

class KilledRank : public AgainstReference, public testing::WithParamInterface<Layout> {
 protected:
  KilledRank() : AgainstReference(arguments(GetParam())) {}
};

TEST_P(KilledRank, IsReplacedAndNobodyCanTell) {
  LiveRun& run = start();
  Chance chance(5);
  for (int kill = 0; kill < 2; ++kill) {
    const auto workers = run.training_workers();
    ASSERT_EQ(workers.size(), 4u);
    ASSERT_TRUE(run.await_step(run.last_step() + 30));
    ::kill(workers[static_cast<std::size_t>(chance.below(4))].pid, SIGKILL);
    ASSERT_TRUE(run.await_event("generation_formed", static_cast<std::size_t>(kill) + 2));
  }
  expect_the_same_end();
  for (const auto& recovery : run.summary()["recoveries"])
    EXPECT_EQ(recovery["rung"], GetParam().rung);
}

INSTANTIATE_TEST_SUITE_P(Layouts, KilledRank, testing::ValuesIn(kLayouts),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace phalanx::system_test
