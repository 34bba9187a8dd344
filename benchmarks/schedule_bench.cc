// Runs every schedule by the executor of training with passes that only wait, and times the same
// schedule by the simulator. It checks order and waiting alone, and says nothing about speed.
// Prints a line of JSON per schedule: milliseconds of a step.
#include <ATen/ops/zeros.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "base/clock.h"
#include "comm/native/thread_ranks.h"
#include "layout/schedule_builders.h"
#include "layout/schedule_check.h"
#include "layout/schedule_passes.h"
#include "layout/schedule_simulator.h"
#include "parallel/schedule_executor.h"

namespace phalanx {
namespace {

using layout::ScheduleKind;

constexpr ScheduleKind kSchedules[] = {ScheduleKind::kGPipe,     ScheduleKind::kOneFOneB,
                                       ScheduleKind::kEager1F1B, ScheduleKind::kInterleaved,
                                       ScheduleKind::kZbH1,      ScheduleKind::kZbH2,
                                       ScheduleKind::kZbV,       ScheduleKind::kDualPipeV};

void wait(std::int64_t nanoseconds) {
  std::this_thread::sleep_for(std::chrono::nanoseconds(nanoseconds));
}

// A sleep takes longer than asked for; by so much, the median of many.
std::int64_t lateness() {
  std::vector<std::int64_t> late;
  for (int i = 0; i < 100; ++i) {
    const auto begin = Clock::now();
    wait(2'000'000);
    late.push_back(std::chrono::nanoseconds(Clock::now() - begin).count() - 2'000'000);
  }
  std::ranges::sort(late);
  return late[late.size() / 2];
}

// The layers of a stage, in time alone.
class Waiting : public parallel::Block {
 public:
  Waiting(const layout::StageTimes& times, std::int64_t late)
      : Block("waiting"), times_(times), late_(late) {}

  at::Tensor forward(const at::Tensor& x, parallel::Saved&) const override {
    wait(times_.forward - late_);
    return x.clone();
  }
  at::Tensor backward_input(const at::Tensor& dy, parallel::Saved&) const override {
    wait(times_.backward_input - late_);
    return dy.clone();
  }
  void backward_weight(parallel::Saved&) const override { wait(times_.backward_weight - late_); }

 private:
  layout::StageTimes times_;
  std::int64_t late_;
};

struct Case {
  layout::Schedule schedule;
  layout::Times times;
};

// `heavy`: the last stage, which has the head, takes half as long again.
Case make_case(ScheduleKind kind, int ranks, bool heavy) {
  const bool several =
      layout::placement(kind) == layout::Placement::kV || kind == ScheduleKind::kInterleaved;
  const layout::PipelineShape shape{ranks, several ? 2 : 1, 2 * ranks};
  Case made{layout::with_transfers(layout::build_schedule(kind, shape)), {}};
  made.schedule.unreceived = layout::channel_capacity(made.schedule) + 2;
  const std::int64_t unit = 1'000'000 / shape.chunks;
  made.times.stages.assign(static_cast<std::size_t>(made.schedule.stages()),
                           {16 * unit, 18 * unit, 12 * unit});
  if (heavy) made.times.stages.back() = {24 * unit, 27 * unit, 18 * unit};
  return made;
}

parallel::ScheduleExecutor executor_of(const Case& of, int rank, std::int64_t late,
                                       std::shared_ptr<comm::Group> group) {
  std::vector<parallel::Chunk> chunks;
  for (int chunk = 0; chunk < of.schedule.chunks; ++chunk) {
    std::vector<std::unique_ptr<parallel::Block>> blocks;
    blocks.push_back(std::make_unique<Waiting>(
        of.times.stages[static_cast<std::size_t>(of.schedule.stage(rank, chunk))], late));
    chunks.emplace_back(std::move(blocks));
  }
  return {std::move(chunks),
          [](at::Tensor&, const at::Tensor&) { return at::zeros({1}, at::kDouble); },
          [](const at::Tensor& inputs) { return inputs.clone(); }, std::move(group)};
}

// Of each repetition: from the first rank's start to the last one's end.
std::vector<double> execute(const Case& of, int repetitions, std::int64_t late) {
  const int ranks = of.schedule.rank_count();
  std::vector<TimePoint> begin(static_cast<std::size_t>(repetitions), TimePoint::max());
  std::vector<TimePoint> end(begin.size(), TimePoint::min());
  std::mutex mutex;
  const auto body = [&](int rank, comm::Communicator& communicator) {
    std::vector<int> everybody(static_cast<std::size_t>(ranks));
    std::iota(everybody.begin(), everybody.end(), 0);
    const std::shared_ptr<comm::Group> group = communicator.make_group(everybody);
    auto executor = executor_of(of, rank, late, group);
    const std::vector<parallel::MicroBatch> batches(
        static_cast<std::size_t>(of.schedule.micro_batches),
        {at::zeros({1, 1}), at::zeros({1, 1})});
    for (std::size_t i = 0; i < begin.size(); ++i) {
      group->barrier().wait();
      const auto from = Clock::now();
      executor.run(of.schedule, batches, {});
      const auto to = Clock::now();
      const std::lock_guard lock(mutex);
      begin[i] = std::min(begin[i], from);
      end[i] = std::max(end[i], to);
    }
  };
  comm::on_thread_ranks(std::vector<int>(static_cast<std::size_t>(ranks), 0), 1 << 20,
                        std::chrono::seconds(60), body);
  std::vector<double> steps;
  for (std::size_t i = 0; i < begin.size(); ++i) steps.push_back(seconds(end[i] - begin[i]));
  return steps;
}

void measure(ScheduleKind kind, int ranks, bool heavy, int repetitions, std::int64_t late) {
  const Case of = make_case(kind, ranks, heavy);
  auto milliseconds = execute(of, repetitions, late);
  for (double& each : milliseconds) each *= 1e3;
  std::cout << nlohmann::ordered_json{{"schedule", of.schedule.name},
                                      {"ranks", ranks},
                                      {"heavy", heavy},
                                      {"simulated_ms",
                                       static_cast<double>(
                                           layout::simulate(of.schedule, of.times).makespan) *
                                           1e-6},
                                      {"executed_ms", milliseconds}}
            << std::endl;
}

}  // namespace
}  // namespace phalanx

int main(int argc, char** argv) {
  CLI::App app{"Pipeline schedules: the executor with passes that wait beside the simulator"};
  int repetitions = 5;
  app.add_option("--repetitions", repetitions, "of each schedule")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto late = phalanx::lateness();
  for (const int ranks : {4, 8})
    for (const bool heavy : {false, true})
      for (const auto kind : phalanx::kSchedules)
        phalanx::measure(kind, ranks, heavy, repetitions, late);
}
