#include "tests/runtime/layouts.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "tests/pretend_device/host_waits.h"
#include "tests/pretend_device/pretend_device.h"
#include "tests/runtime/parity.h"
#include "tests/runtime/watched_group.h"

namespace phalanx::runtime {

Layouts::Layouts() {
  job_.train.precision = "fp64";
  job_ = GetParam().of(job_);
}

TEST_P(Layouts, ComputeWhatOneRankComputes) {
  const auto found = outcome(), expected = outcome_of(alone());
  const auto difference = first_difference(job_.model, found, expected);
  EXPECT_FALSE(difference) << difference->where << " differs by " << difference->error;
}

// What would be left out by mistake on all ranks alike may well be right where nothing is divided.
TEST_P(Layouts, RepeatBitForBitAndMoveBytesOnEveryAxis) {
  std::mutex mutex;
  std::vector<std::unique_ptr<Watch>> watches;
  std::map<int, bool> holds_layers;
  interference_.groups = [&](int rank, MeshGroups& groups) {
    const bool layers = std::ranges::any_of(groups.buckets, [](const auto& replicated) {
      return std::ranges::any_of(replicated.bucket.tensors, [](const auto& tensor) {
        return tensor.name.starts_with("layers.");
      });
    });
    auto watch = std::make_unique<Watch>(rank, nullptr);
    watch->wrap(groups);
    const std::lock_guard lock(mutex);
    holds_layers[rank] = layers;
    watches.push_back(std::move(watch));
  };
  const auto once = outcome();
  std::size_t expected_axes = 1;  // the world
  for (const auto size :
       {job_.parallel.tensor, job_.parallel.context, job_.parallel.expert, job_.parallel.pipeline})
    expected_axes += size > 1;
  for (const auto& watch : watches) {
    std::set<std::string> axes;
    for (const auto& [group, moved] : watch->bytes()) {
      // A stage of embedding or head alone has no attention or experts to exchange anything for.
      const bool of_layers = group == "context" || group == "expert";
      const bool needed = !of_layers || holds_layers.at(watch->rank());
      EXPECT_EQ(moved > 0, needed) << group;
      if (!group.starts_with("replicas")) axes.insert(group);
    }
    EXPECT_EQ(axes.size(), expected_axes);
    const bool divided = job_.parallel.data > 1 || job_.parallel.context > 1;
    EXPECT_TRUE(!divided || watch->bytes().size() > axes.size()) << "gradients have replicas";
  }
  interference_ = {};
  EXPECT_TRUE(outcome() == once);
}

// On a device whose memory the host cannot touch, with the CPU's kernels: what differs is where
// things lie. In a step of a dense model the host waits once, for the sums of the commit point.
TEST_P(Layouts, AreBitwiseTheSameOnADeviceThatTheHostWaitsForOncePerStep) {
  job_.train.precision = "bf16";
  const auto expected = curve();
  pretend::install_pretend_device();
  device_ = pretend::kDevice;
  interference_.step = [this](Rank&, int step) {
    thread_local pretend::HostWaits before;
    const auto waits = pretend::host_waits() - std::exchange(before, pretend::host_waits());
    if (step == 0 || job_.model.experts > 0) return;
    EXPECT_EQ(waits.reads, 1);
    EXPECT_EQ(waits.works, 1);
    EXPECT_EQ(waits.total(), 2);
  };
  EXPECT_EQ(curve(), expected);
}

std::vector<LayoutCase> of_even_ranks(std::vector<LayoutCase> cases) {
  std::erase_if(cases, [](const LayoutCase& layout) { return layout.of({}).ranks() % 2 != 0; });
  return cases;
}

// All that moves is summed in one order, whatever the way there.
TEST_P(LayoutsOnNodes, AreBitwiseTheSameOnOneTwoAndFour) {
  job_.train.precision = "fp32";
  const auto ranks = job_.launch.ranks_per_node;
  const auto expected = curve();
  for (const int nodes : {2, 4}) {
    if (ranks % nodes != 0) continue;
    job_.launch.emulate_nodes = nodes;
    job_.launch.ranks_per_node = ranks / nodes;
    EXPECT_EQ(curve(), expected) << nodes << " nodes";
  }
}

}  // namespace phalanx::runtime
