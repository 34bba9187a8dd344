#include "launcher/control/run_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/control/run_folder.h"
#include "tests/control/scenario.h"

namespace phalanx::control {
namespace {

using nlohmann::json;

RecordStep step(std::int64_t number) {
  RecordStep record;
  record.step.set_step(number);
  record.step.set_generation(2);
  record.step.set_loss(0.1);
  record.step.set_grad_norm(2);
  record.step.set_lr(3e-4);
  record.step.set_tokens(1000);
  record.step.set_samples(10);
  record.step.set_seconds(0.5);
  record.tokens_per_second = 2000;
  return record;
}

TEST(RunFiles, AMetricsLineHasEveryDigit) {
  EXPECT_EQ(metrics_line(step(7)),
            "{\"step\": 7, \"generation\": 2, \"loss\": 0.10000000000000001, \"grad_norm\": 2, "
            "\"lr\": 0.00029999999999999997, \"tokens\": 1000, \"samples\": 10, \"seconds\": 0.5, "
            "\"tokens_per_second\": 2000}");
}

TEST(RunFiles, AMetricsLineHasNullForNotANumberAndValidationOnlyOnItsSteps) {
  RecordStep record = step(7);
  EXPECT_FALSE(json::parse(metrics_line(record)).contains("validation_loss"));
  record.step.set_loss(std::nan(""));
  record.step.set_grad_norm(HUGE_VAL);
  record.step.set_validation_loss(3.25);
  const json line = json::parse(metrics_line(record));
  EXPECT_TRUE(line["loss"].is_null());
  EXPECT_TRUE(line["grad_norm"].is_null());
  EXPECT_EQ(line["validation_loss"], 3.25);
}

TEST(RunFiles, AMetricsLineTellsTheBalanceOfExpertsWhereThereAreSome) {
  RecordStep record = step(7);
  EXPECT_FALSE(json::parse(metrics_line(record)).contains("busiest_expert"));
  record.step.set_balance_loss(0.02);
  record.step.set_busiest_expert(1.5);
  const json line = json::parse(metrics_line(record));
  EXPECT_EQ(line["balance_loss"], 0.02);
  EXPECT_EQ(line["busiest_expert"], 1.5);
}

TEST(RunFiles, AMetricsLineSaysWhereTheStepsTimeWent) {
  RecordStep record = step(7);
  EXPECT_FALSE(json::parse(metrics_line(record)).contains("forward_seconds"));
  auto& times = *record.step.mutable_times();
  times.set_data(1);
  times.set_forward(2);
  times.set_backward(3);
  times.set_communication(4);
  times.set_optimizer(5);
  times.set_snapshot(6);
  const json line = json::parse(metrics_line(record));
  EXPECT_EQ(line["data_seconds"], 1);
  EXPECT_EQ(line["forward_seconds"], 2);
  EXPECT_EQ(line["backward_seconds"], 3);
  EXPECT_EQ(line["communication_seconds"], 4);
  EXPECT_EQ(line["optimizer_seconds"], 5);
  EXPECT_EQ(line["snapshot_seconds"], 6);
}

TEST(RunFiles, AMetricsLineHasTheShareOfThePeakOnceThatIsMeasured) {
  RecordStep record = step(7);
  EXPECT_FALSE(json::parse(metrics_line(record)).contains("mfu"));
  record.step.set_model_flops_per_second(3e9);
  EXPECT_EQ(json::parse(metrics_line(record))["model_flops_per_second"], 3e9);
  EXPECT_TRUE(json::parse(metrics_line(record))["mfu"].is_null());
  record.step.set_peak_flops_per_second(12e9);
  EXPECT_EQ(json::parse(metrics_line(record))["mfu"], 0.25);
}

TEST(RunFiles, TheSummaryHasTheUtilisationOfTheStepsThatCountWeighedByTheirSeconds) {
  State state;
  EXPECT_TRUE(json::parse(summary(state, {}, 1))["mfu"].is_null());
  state.records = {{1, 1000, 2e9}, {3, 2000, 6e9}};
  EXPECT_EQ(json::parse(summary(state, {}, 10))["model_flops_per_second"], 5e9);
  EXPECT_TRUE(json::parse(summary(state, {}, 10))["mfu"].is_null());
  state.peak_flops_per_second = 20e9;
  EXPECT_EQ(json::parse(summary(state, {}, 10))["mfu"], 0.25);
}

TEST(RunFiles, AnEventLineHasItsKeysAndWhatItsKindNeeds) {
  Record record;
  record.kind = "worker_died";
  record.generation = 3;
  record.node = 1;
  record.rank = 5;
  record.reason = "signal 9 \"Killed\" \xff";
  record.details = {{"pid", std::int64_t{77}}, {"seconds", 1.5}, {"phase", std::string("data")}};
  const json line = json::parse(event_line(record, "2026-01-02T03:04:05.678Z"));
  EXPECT_EQ(line["time"], "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(line["generation"], 3);
  EXPECT_EQ(line["kind"], "worker_died");
  EXPECT_EQ(line["node"], 1);
  EXPECT_EQ(line["rank"], 5);
  EXPECT_THAT(line["reason"].get<std::string>(), testing::StartsWith("signal 9 \"Killed\" "));
  EXPECT_EQ(line["pid"], 77);
  EXPECT_EQ(line["phase"], "data");
  record.rank = record.node = kNobody;
  EXPECT_TRUE(json::parse(event_line(record, ""))["rank"].is_null());
}

TEST(RunFiles, TheSummarySaysWhatTheJobLostAndWhy) {
  Scenario job;
  job.begin();
  job.train_to(4);
  job.die(2);
  job.now += 2;
  job.rejoin(4, {2});
  job.restored();
  const json text = json::parse(summary(job.state, {10, "failed", "rank 2", "look"}, job.now + 2));
  EXPECT_EQ(text["schema_version"], 1);
  EXPECT_EQ(text["outcome"], "failed");
  EXPECT_EQ(text["exit_code"], 10);
  EXPECT_EQ(text["steps"], 4);
  EXPECT_EQ(text["tokens"], 4000);
  EXPECT_EQ(text["seconds"], 4.0);
  EXPECT_EQ(text["goodput"], 0.5);
  EXPECT_EQ(text["first_cause"], "rank 2");
  ASSERT_EQ(text["recoveries"].size(), 1u);
  EXPECT_EQ(text["recoveries"][0]["rung"], "replica");
  EXPECT_EQ(text["recoveries"][0]["rank"], 2);
  EXPECT_EQ(text["recoveries"][0]["resumed_seconds"], 2.0);
  EXPECT_EQ(text["recoveries"][0]["steps_lost"], 0);
  EXPECT_TRUE(text.contains("environment"));
}

TEST(RunFiles, LinesThatAFullDiskRefusesFollowWhenThereIsRoomAgain) {
  const RunFolder folder;
  PatientFile file(folder.path() / "lines");
  file.append("one\n");
  const FileSizeLimit limit(6);  // "one\n" and half of the next
  file.append("two\n");
  file.append("three\n");
  EXPECT_EQ(read_file(folder.path() / "lines"), "one\n");
  limit.lift();
  file.append("four\n");
  EXPECT_EQ(read_file(folder.path() / "lines"), "one\ntwo\nthree\nfour\n");
}

TEST(RunFiles, GoOnBehindTheLastWholeLineOfAWriterThatCrashed) {
  const RunFolder folder;
  const auto path = folder.path() / "lines";
  for (const auto& [before, after] :
       {std::pair("one\ntw", "one\nthree\n"), {"on", "three\n"}, {"one\n", "one\nthree\n"}}) {
    write_file_atomically(path, before);
    PatientFile(path).append("three\n");
    EXPECT_EQ(read_file(path), after);
  }
}

TEST(RunFiles, KnowTheLastStepThatWasWrittenWhole) {
  const RunFolder folder;
  const protocol::RunDirectory directory(folder.path());
  RunFiles files(directory);
  EXPECT_EQ(files.last_written_step(), (std::pair<std::int64_t, std::uint64_t>(0, 0)));
  files.write(step(6));
  files.write(step(7));
  EXPECT_EQ(files.last_written_step(), (std::pair<std::int64_t, std::uint64_t>(7, 2)));
  AppendFile(directory.metrics()).append("{\"step\": 8, \"gen");
  EXPECT_EQ(files.last_written_step(), (std::pair<std::int64_t, std::uint64_t>(7, 2)));
}

}  // namespace
}  // namespace phalanx::control
