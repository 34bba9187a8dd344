// State that lies on a device: begun, saved, loaded and taken from a replica as the CPU's is.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "checkpoint/commit.h"
#include "checkpoint/directory.h"
#include "checkpoint/manifest.h"
#include "runtime/owned_state.h"
#include "runtime/restore.h"
#include "tests/parallel/ranks_as_threads.h"
#include "tests/pretend_device/communicator.h"
#include "tests/pretend_device/pretend_device.h"
#include "tests/runtime/small_job.h"

namespace phalanx::runtime {
namespace {

class DeviceState : public SmallJob {
 protected:
  DeviceState() { pretend::install_pretend_device(); }

  ModelState begun(at::Device device) const {
    ModelState state(job_, 0, device);
    state.initialize();
    return state;
  }
};

void expect_equal(const ModelState& found, const ModelState& expected) {
  for (std::size_t i = 0; i < expected.parts().size(); ++i)
    for (const auto& kind : kinds_of_state())
      EXPECT_TRUE(at::equal((found.parts()[i].*kind.tensor).cpu(),
                            (expected.parts()[i].*kind.tensor).cpu()))
          << kind.name << " of bucket " << i;
}

TEST_F(DeviceState, BeginsAsTheCpusDoes) { expect_equal(begun(pretend::kDevice), begun(at::kCPU)); }

TEST_F(DeviceState, IsSavedAndLoadedOnEitherSide) {
  auto state = begun(pretend::kDevice);
  for (auto& part : state.parts()) part.second_moment.copy_(part.parameters.square());
  const checkpoint::CheckpointId id{5, 1};
  const auto partial = checkpoint::partial_path(folder_, id, 0);
  checkpoint::Manifest manifest;
  manifest.step = id.step;
  manifest.attempt = id.attempt;
  for (const auto& spec : state.specs()) manifest.tensors.push_back({spec.name, spec.shape});
  for (const auto& kind : kinds_of_state()) manifest.kinds.emplace_back(kind.name);
  const auto owned = owned_state(state);
  manifest.shards.push_back(checkpoint::write_shard(partial, checkpoint::shard_file(0, 1),
                                                    manifest.tensors, owned.views));
  const auto complete = checkpoint::commit(partial, manifest);
  for (const auto device : {at::Device(at::kCPU), pretend::kDevice}) {
    ModelState loaded(job_, 0, device);
    load_state(complete, loaded);
    expect_equal(loaded, state);
    EXPECT_EQ(loaded.progress.step, 5);
  }
}

TEST_F(DeviceState, IsTakenFromAReplicaWithTheLedger) {
  job_.parallel.data = job_.launch.ranks_per_node = 2;
  protocol::Roster roster;
  roster.set_source(protocol::Roster::REPLICA);
  roster.set_source_rank(0);
  roster.set_step(5);
  for (const int held : {5, -1}) roster.add_places()->set_held_step(held);
  on_communicators({0, 0}, 8 << 20, [&](int rank, comm::Communicator& of_the_host) {
    const auto communicator = pretend::on_pretend_device(of_the_host);
    const auto world = communicator->make_group({0, 1});
    Holding holding(job_, rank, pretend::kDevice);
    if (rank == 0) {
      holding.state.initialize();
      holding.state.progress = {5, 35, 840};
      holding.ledger.loss = 2.5;
      holding.whole = true;
    }
    restore(roster, *communicator, *world, holding);
    EXPECT_EQ(holding.held_step(), 5);
    EXPECT_EQ(holding.state.progress.tokens, 840);
    EXPECT_EQ(holding.ledger.loss, 2.5);
    expect_equal(holding.state, begun(at::kCPU));
  });
}

}  // namespace
}  // namespace phalanx::runtime
