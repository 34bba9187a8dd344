#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "base/file.h"
#include "data/prepare.h"
#include "runtime/agree.h"
#include "runtime/step.h"
#include "tests/parallel/ranks_as_threads.h"

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

  // Runs `body` on each of `ranks` ranks, threads that share a node.
  template <class Body>
  void on_ranks(int ranks, const Body& body) {
    const std::vector<int> one_node(static_cast<std::size_t>(ranks), 0);
    phalanx::on_ranks(one_node, layout::registered_bytes(job_), body);
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

TEST_F(DataParallel, WithGradientsInBf16OnTheWireFollowsTheLossesOfFp32) {
  const auto exact = losses(3);
  job_.parallel.gradient_wire = "bf16";
  const auto rounded = losses(3);
  EXPECT_EQ(rounded, losses(3));
  ASSERT_EQ(rounded.size(), exact.size());
  EXPECT_EQ(rounded.front(), exact.front());  // only what follows the first update can differ
  for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(rounded[i] / exact[i], 1, 5e-3);
  EXPECT_NE(rounded, exact);
}

TEST_F(DataParallel, RepeatsALossCurveBitForBit) {
  const auto once = losses(3);
  EXPECT_EQ(once, losses(3));
  EXPECT_LT(once.back(), once.front());
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
