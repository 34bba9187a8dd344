#include "tests/pretend_device/pretend_device.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <csignal>
#include <vector>

#include "comm/native/thread_ranks.h"
#include "kernels/attention.h"
#include "kernels/cross_entropy.h"
#include "kernels/linear.h"
#include "kernels/rms_norm.h"
#include "tests/kernels/tensors.h"
#include "tests/pretend_device/communicator.h"
#include "tests/pretend_device/host_waits.h"

namespace phalanx::pretend {
namespace {

using test::numbers;

at::Tensor moved(const at::Tensor& tensor) { return tensor.to(kDevice); }

class PretendDevice : public testing::Test {
 protected:
  void SetUp() override { install_pretend_device(); }
};

TEST_F(PretendDevice, KillsTheHostThatTouchesItsMemory) {
  const auto x = moved(numbers({4}, 1));
  EXPECT_EXIT(*static_cast<volatile double*>(x.data_ptr()) = 1, testing::KilledBySignal(SIGSEGV),
              "");
}

TEST_F(PretendDevice, RefusesOperandsOfTheHostAndNamesTheOperator) {
  const auto x = moved(numbers({4, 4}, 1)), host = numbers({4, 4}, 2);
  EXPECT_THROW(x.add(host), c10::Error);
  try {
    x.index_select(0, at::tensor({1}, at::kLong));
    FAIL() << "an index of the host was taken";
  } catch (const c10::Error& error) {
    EXPECT_NE(std::string(error.what()).find("index_select"), std::string::npos) << error.what();
  }
}

TEST_F(PretendDevice, ComputesWhatTheCpuDoes) {
  const auto work = [](at::Device device) {
    auto x = numbers({6, 8}, 1, at::kFloat).to(device),
         y = numbers({6, 8}, 2, at::kFloat).to(device);
    const auto index = at::tensor({3, 1}, at::kLong).to(device);
    auto parts = x.split_with_sizes({3, 5}, -1);
    parts[1].narrow(0, 1, 2).add_(y.slice(1, 0, 5).narrow(0, 2, 2));
    y.select(0, 2).mul_(0.5).div_(x.sum(0).abs().add(1));
    auto z = at::cat({x, y}).view({3, 4, 8}).transpose(0, 1).contiguous();
    z[1].copy_(at::stack({x[0], x[1], y[2]}));
    auto out = at::empty({0}, z.options());
    at::mul_out(out, z, z);
    const auto rounded = out.to(at::kBFloat16).to(at::kDouble).index_select(0, index);
    auto places = at::arange(3, 11, z.options().dtype(at::kLong)).remainder_(5);
    return std::vector<at::Tensor>{x,
                                   y,
                                   z,
                                   out,
                                   rounded,
                                   places,
                                   x.sub(x.mean()).sign_(),
                                   z.max(),
                                   at::zeros_like(z),
                                   at::full({3}, 2.5, z.options()),
                                   at::isfinite(z).all(),
                                   z.clone().squeeze(0),
                                   x.unsqueeze(0).expand({2, 6, 8}).sum(at::IntArrayRef{0, 1})};
  };
  const auto expected = work(at::kCPU), found = work(kDevice);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(found[i].device(), kDevice) << i;
    EXPECT_TRUE(at::equal(found[i].cpu(), expected[i])) << i;
  }
}

TEST_F(PretendDevice, RunsKernelsAsTheCpuDoes) {
  const auto work = [](at::Device device) {
    const auto x = numbers({2, 8, 16}, 1, at::kFloat).to(device);
    const auto weight = numbers({16}, 2, at::kFloat).to(device);
    const auto matrix = numbers({16, 16}, 3, at::kFloat).to(device);
    const auto norm = kernels::rms_norm(x, weight, 1e-5);
    auto q = kernels::linear(norm.y, matrix);
    auto [out, log_sum_exp] = kernels::attention(q, x, norm.y, {4, 4});
    auto logits = out.view({16, 16}).clone();
    const auto targets = at::arange(16, at::kLong).to(device);
    return std::vector<at::Tensor>{norm.y,
                                   norm.inverse_rms,
                                   q,
                                   out,
                                   log_sum_exp,
                                   logits,
                                   kernels::cross_entropy(logits, targets)};
  };
  const auto expected = work(at::kCPU), found = work(kDevice);
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(at::equal(found[i].cpu(), expected[i])) << i;
}

TEST_F(PretendDevice, TellsItsMemoryFromTheHosts) {
  const auto x = moved(numbers({4}, 1));
  const auto options = x.options();
  EXPECT_TRUE(at::equal(at::from_blob(x.data_ptr(), {4}, options), x));
  std::vector<double> host(4);
  EXPECT_THROW(at::from_blob(host.data(), {4}, options), c10::Error);
}

TEST_F(PretendDevice, UsesFreedMemoryAgainAndFillsItWithNotANumber) {
  auto x = at::zeros({1000}, at::TensorOptions(at::kDouble).device(kDevice));
  const void* const place = x.data_ptr();
  x.reset();
  x = at::empty({1000}, at::TensorOptions(at::kDouble).device(kDevice));
  EXPECT_EQ(x.data_ptr(), place);
  EXPECT_TRUE(x.isnan().all().item<bool>());
}

TEST_F(PretendDevice, LetsAStorageGiveUpItsMemoryAndTakeSomeAgain) {
  auto flat = at::zeros({100}, at::TensorOptions(at::kFloat).device(kDevice));
  const auto part = flat.narrow(0, 10, 20).view({4, 5});
  auto* const storage = flat.storage().unsafeGetStorageImpl();
  storage->set_data_ptr_noswap(at::DataPtr());
  storage->set_data_ptr_noswap(storage->allocator()->allocate(storage->nbytes()));
  flat.fill_(2);
  EXPECT_TRUE(at::equal(part.cpu(), at::full({4, 5}, 2.0f)));
}

TEST_F(PretendDevice, KeepsKernelsFromMemoryOfTheHost) {
  const auto x = moved(numbers({2, 16}, 1));
  const auto weight = numbers({16}, 2);
  EXPECT_DEATH(kernels::rms_norm(x, weight, 1e-5), "host memory handed to the device");
}

TEST_F(PretendDevice, SumsOverRanks) {
  comm::on_thread_ranks(
      {0, 0}, 1 << 20, std::chrono::seconds(20), [](int rank, comm::Communicator& host) {
        const auto communicator = on_pretend_device(host);
        const auto group = communicator->make_group({0, 1});
        auto x = at::full({1000}, rank + 1.5, at::kFloat).to(kDevice);
        const auto before = host_waits();
        auto work = group->all_reduce({x.data_ptr(), 1000, comm::ElementType::kFloat32});
        work.wait(comm::DeviceStream{});
        EXPECT_EQ((host_waits() - before).total(), 0);
        group->barrier().wait();
        EXPECT_EQ(host_waits() - before, (HostWaits{.works = 1, .ordered = 1}));
        EXPECT_TRUE(at::equal(x.cpu(), at::full({1000}, 4.0, at::kFloat)));
      });
}

TEST_F(PretendDevice, KeepsCollectivesFromMemoryOfTheHost) {
  const auto sum_of_the_host = [] {
    comm::on_thread_ranks({0}, 1 << 20, std::chrono::seconds(20),
                          [](int, comm::Communicator& host) {
                            std::vector<float> data(4);
                            on_pretend_device(host)->make_group({0})->all_reduce(data);
                          });
  };
  EXPECT_DEATH(sum_of_the_host(), "host memory handed to the device");
}

TEST_F(PretendDevice, CountsWhatTheHostWaitsFor) {
  const auto x = moved(numbers({4}, 1));
  const auto pinned = at::empty({4}, at::TensorOptions(at::kDouble).pinned_memory(true));
  const auto before = host_waits();
  x.add(1).mul_(2);
  at::Tensor(pinned).copy_(x, /*non_blocking=*/true);
  EXPECT_EQ((host_waits() - before).total(), 0);
  x.sum().item<double>();
  x.cpu();
  EXPECT_EQ(host_waits() - before, HostWaits{.reads = 2});
}

}  // namespace
}  // namespace phalanx::pretend
