#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <thread>

#include "base/file.h"
#include "base/memory_file.h"
#include "comm/native/communicator.h"
#include "comm/native/node_memory.h"
#include "data/prepare.h"
#include "runtime/agree.h"
#include "runtime/step.h"

namespace phalanx::runtime {
namespace {

// A small job on real text: this file and its neighbours, many times.
class DataParallel : public testing::Test {
 protected:
  DataParallel() {
    folder_ =
        std::filesystem::temp_directory_path() / ("data_parallel." + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    std::string text;
    for (int i = 0; i < 400; ++i)
      text += "the " + std::to_string(i * i) + "th rank holds the line; ";
    write_file_atomically(folder_ / "text.txt", text);
    data::PrepareOptions options;
    options.inputs = {folder_ / "text.txt"};
    options.output = folder_ / "train.tokens";
    data::prepare(options);
    job_.model = {"llama", 2, 32, 4, 2, 48, 24, 257};
    job_.data.train = {{(folder_ / "train.tokens").string(), 1.0}};
    job_.train.steps = 4;
    job_.train.global_batch = 7;
    job_.train.micro_batch = 2;
    job_.train.optimizer = {"adamw", 1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0};
  }
  ~DataParallel() override { std::filesystem::remove_all(folder_); }

  // What rank 0 of `ranks` holds after `body` has run on each, as threads that share a node.
  template <class Body>
  void on_ranks(int ranks, const Body& body) {
    const auto bytes = layout::registered_bytes(layout::tensor_specs(job_.model));
    const auto memory = create_memory_file("test", comm::node_memory_bytes(ranks, bytes));
    std::vector<comm::Listener> listeners;
    for (int rank = 0; rank < ranks; ++rank) listeners.emplace_back("127.0.0.1");
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        comm::Membership membership;
        membership.generation = 1;
        membership.rank = rank;
        for (int peer = 0; peer < ranks; ++peer)
          membership.peers.push_back(
              {peer, 0, "127.0.0.1", listeners[static_cast<std::size_t>(peer)].port()});
        membership.secret = "secret";
        membership.deadline = std::chrono::seconds(60);
        membership.node_memory = memory.duplicate();
        const auto communicator = comm::make_native_communicator(
            std::move(membership), listeners[static_cast<std::size_t>(rank)]);
        std::vector<int> all;
        for (int peer = 0; peer < ranks; ++peer) all.push_back(peer);
        body(communicator->make_group(all));
      });
  }

  std::vector<float> gradients_of_first_step(int ranks) {
    std::vector<float> result;
    on_ranks(ranks, [&](const std::shared_ptr<comm::Group>& group) {
      const TrainingData data(job_);
      ModelState state(job_.model);
      state.initialize(3);
      protocol::BlackBox black_box{};
      PhaseClock phases(black_box);
      Stepper stepper(job_, state, data, group, phases);
      stepper.accumulate_gradients(data.step(0, group->size(), group->rank()));
      if (group->rank() == 0)
        result.assign(stepper.gradients().flat().begin(), stepper.gradients().flat().end());
      group->barrier().wait();
    });
    return result;
  }

  std::vector<double> losses(int ranks) {
    std::vector<double> result;
    on_ranks(ranks, [&](const std::shared_ptr<comm::Group>& group) {
      const TrainingData data(job_);
      ModelState state(job_.model);
      state.initialize(3);
      protocol::BlackBox black_box{};
      PhaseClock phases(black_box);
      Stepper stepper(job_, state, data, group, phases);
      for (int step = 0; step < job_.train.steps; ++step) {
        const auto outcome = stepper.run({});
        if (group->rank() == 0) result.push_back(outcome.loss);
      }
    });
    return result;
  }

  // A mixture of 6 experts with everything that balances them.
  void use_experts(const std::string& preset) {
    job_.model.preset = preset;
    job_.model.experts = 6;
    job_.model.experts_per_token = 2;
    if (preset == "qwen_moe") job_.model.expert_width = 24;
    job_.model.router = {"preset", 0.05, 0.01};
  }

  std::filesystem::path folder_;
  config::Job job_;
};

// Seven samples over 2, 3 and 4 ranks in micro-batches of 2: no rank has as many as another. Nine
// ranks: two have none.
TEST_F(DataParallel, GivesEveryGradientOfOneRankForAnyNumberOfRanks) {
  const auto specs = layout::tensor_specs(job_.model);
  const auto flat = layout::flat_layout(specs);
  const auto expected = gradients_of_first_step(1);
  for (const int ranks : {2, 3, 4, 9}) {
    const auto found = gradients_of_first_step(ranks);
    for (std::size_t i = 0; i < specs.size(); ++i) {
      double difference = 0, norm = 0;
      for (std::int64_t e = flat.offsets[i]; e < flat.offsets[i] + specs[i].elements(); ++e) {
        const double a = expected[static_cast<std::size_t>(e)],
                     b = found[static_cast<std::size_t>(e)];
        difference += (a - b) * (a - b);
        norm += a * a;
      }
      EXPECT_GT(norm, 0) << specs[i].name;
      EXPECT_LE(std::sqrt(difference / norm), 1e-6) << specs[i].name << " on " << ranks << " ranks";
    }
  }
}

TEST_F(DataParallel, InBf16RepeatsBitForBitAndFollowsTheLossesOfFp32) {
  const auto exact = losses(1);
  job_.train.precision = "bf16";
  const auto rounded = losses(3);
  EXPECT_EQ(rounded, losses(3));
  ASSERT_EQ(rounded.size(), exact.size());
  for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(rounded[i] / exact[i], 1, 5e-3);
  EXPECT_NE(rounded, exact);
}

TEST_F(DataParallel, RepeatsALossCurveBitForBit) {
  const auto once = losses(3);
  EXPECT_EQ(once, losses(3));
  EXPECT_LT(once.back(), once.front());
}

TEST_F(DataParallel, TrainsMixturesOfExpertsAlikeOnAnyNumberOfRanks) {
  for (const auto* preset : {"mixtral", "qwen_moe"}) {
    use_experts(preset);
    job_.train.steps = 6;
    const auto once = losses(1), apart = losses(3);
    EXPECT_EQ(apart, losses(3));
    EXPECT_LT(once.back(), once.front());
    for (std::size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(apart[i] / once[i], 1, 1e-3);
  }
}

// Counts of all ranks, taken out of what the optimizer and the norm see.
TEST_F(DataParallel, CountsTheTokensOfEveryExpertAndMovesBiasesByTheSignOfTheLoad) {
  use_experts("mixtral");
  for (const int ranks : {1, 3})
    on_ranks(ranks, [&](const std::shared_ptr<comm::Group>& group) {
      const TrainingData data(job_);
      ModelState state(job_.model);
      state.initialize(3);
      protocol::BlackBox black_box{};
      PhaseClock phases(black_box);
      Stepper stepper(job_, state, data, group, phases);
      const auto outcome = stepper.run({});
      const double tokens = static_cast<double>(job_.train.global_batch) * 24, mean = tokens / 3;
      double busiest = 0;  // sum over the two layers
      for (std::size_t i = 0; i < state.specs().size(); ++i) {
        const auto& spec = state.specs()[i];
        if (!spec.counts_load) continue;
        const auto& load = stepper.experts().load().at(spec.name);
        double sum = 0, most = 0;
        for (std::int64_t e = 0; e < 6; ++e) {
          const auto at = static_cast<std::size_t>(state.flat().offsets[i] + e);
          const double count = load[e].item<double>();
          sum += count;
          most = std::max(most, count / mean);
          EXPECT_FLOAT_EQ(state.parameters()[at], count < mean ? 0.01F : count > mean ? -0.01F : 0);
          EXPECT_EQ(stepper.gradients().flat()[at], 0);
          EXPECT_EQ(state.first_moment()[at], 0);
        }
        EXPECT_EQ(sum, 2 * tokens);
        busiest += most;
      }
      EXPECT_DOUBLE_EQ(outcome.busiest_expert, busiest / 2);
      // Of an even load it would be the factor, times the experts of a token, in both layers.
      EXPECT_NEAR(outcome.balance_loss, 0.05 * 2 * 2, 0.05);
      group->barrier().wait();
    });
}

TEST_F(DataParallel, SumsDoublesWithAllTheirDigits) {
  on_ranks(3, [&](const std::shared_ptr<comm::Group>& group) {
    const double mine[] = {1.0 / 3, 1e15 + group->rank(), group->rank() == 1 ? NAN : 0.0};
    const auto sums = sum_over(*group, mine);
    EXPECT_EQ(sums[0], 1.0 / 3 + 1.0 / 3 + 1.0 / 3);
    EXPECT_EQ(sums[1], 3e15 + 3);
    EXPECT_TRUE(std::isnan(sums[2]));
  });
}

}  // namespace
}  // namespace phalanx::runtime
