// The commands that take a run, at it and after it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "tests/system/run.h"

namespace phalanx::system_test {
namespace {

using ::testing::HasSubstr;

TEST(StatusCommand, ShowsARunAtWorkAndOneThatIsOver) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.steps=1000000", "--checkpoint.every=1000000"});
  ASSERT_TRUE(run.await_step(3));
  const auto living = run.status();
  EXPECT_EQ(living["phase"], "training");
  EXPECT_GE(living["step"], 3);
  EXPECT_EQ(living["steps"], 1000000);
  ASSERT_EQ(living["workers"].size(), 4u);
  for (const auto& worker : living["workers"])
    EXPECT_THAT(workshop.processes(),
                ::testing::Contains(::testing::Field(&Process::pid, worker["pid"].get<pid_t>())));
  run.signal(SIGINT);
  ASSERT_EQ(run.wait(), 130);
  const auto over = run.status();
  EXPECT_EQ(over["phase"], "ended");
  EXPECT_EQ(over["summary"]["exit_code"], 130);
}

TEST(StatusCommand, SaysThatAFolderHoldsNoRun) {
  const Workshop workshop;
  const auto outcome = workshop.phalanx({"status", workshop.path()});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("expected the folder of a run"));
}

TEST(StatusCommand, OfARunOfWhichNothingIsLeftSaysThatItWasKilledAndWhatToDo) {
  Workshop workshop;
  LiveRun first(workshop, "run", {"--train.steps=2"});
  ASSERT_EQ(first.wait(), 0) << first.console();
  LiveRun run(workshop, "run", {"--train.steps=1000000", "--checkpoint.every=5"});
  ASSERT_TRUE(run.await_event("checkpoint_committed", 2));
  for (const auto& process : workshop.processes()) ::kill(process.pid, SIGKILL);
  ASSERT_EQ(run.wait(), 128 + SIGKILL);
  const auto over = run.status();
  EXPECT_EQ(over["phase"], "ended");
  EXPECT_EQ(over["outcome"], "killed");
  EXPECT_EQ(over["step"], run.last_step());
  EXPECT_TRUE(over["summary"].is_null());
  const auto text = workshop.phalanx({"status", run.output()});
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.output, HasSubstr("over: killed at step"));
  EXPECT_THAT(text.output, HasSubstr("goes on from its checkpoint of step"));
  for (const auto& checkpoint : run.checkpoints())
    std::filesystem::remove(checkpoint / "manifest.pb");
  EXPECT_EQ(run.status()["last_checkpoint"], 0) << "none that a run could go on from";
  const auto cancelled = workshop.phalanx({"cancel", run.output()});
  EXPECT_EQ(cancelled.code, 0);
  EXPECT_THAT(cancelled.output, HasSubstr("nothing to cancel: over: killed"));
}

TEST(CancelCommand, SaysThatARunIsOverAndHowItEnded) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.steps=2"});
  ASSERT_EQ(run.wait(), 0) << run.console();
  EXPECT_FALSE(std::filesystem::exists(run.output() / "run.json"));
  const auto outcome = workshop.phalanx({"cancel", run.output()});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.output, HasSubstr("nothing to cancel: over: done at step 2, exit code 0"));
  const auto json = Json::parse(workshop.phalanx({"cancel", run.output(), "--json"}).output);
  EXPECT_EQ(json["cancelled"], false);
  EXPECT_EQ(json["ending"]["outcome"], "done");
}

TEST(RunCommand, WithADryRunSaysWhatWouldRunAndMakesNothing) {
  Workshop workshop;
  const auto output = workshop.path() / "run";
  const Arguments dry = {"run", workshop.job(), "--dry-run", "--json"};
  const auto plan = Json::parse(workshop.phalanx(dry).output);
  EXPECT_EQ(plan["ranks"], 4);
  EXPECT_EQ(plan["first_step"], 1);
  EXPECT_FALSE(std::filesystem::exists(output));
  LiveRun run(workshop, "run", {"--train.steps=3"});
  ASSERT_EQ(run.wait(), 0) << run.console();
  EXPECT_EQ(Json::parse(workshop.phalanx(dry).output)["first_step"], 4);
  const auto never = workshop.phalanx({"run", workshop.job(), "--dry-run", "--resume=never"});
  EXPECT_EQ(never.code, 2);
  EXPECT_THAT(never.errors, HasSubstr("holds a run already"));
}

TEST(RunCommand, WhoseLogsHaveNoFolderIs7) {
  const Workshop workshop;
  std::filesystem::create_directory(workshop.path() / "run");
  std::ofstream(workshop.path() / "run" / "logs") << "in the way";
  const auto refused = workshop.phalanx({"run", workshop.job()});
  EXPECT_EQ(refused.code, 7);
  EXPECT_THAT(refused.errors, HasSubstr("logs/node0: create folder: Not a directory"));
}

TEST(RunCommand, InAFolderThatIsGoneIs7) {
  const Workshop workshop;
  const auto refused = workshop.shell(fmt::format(
      "cd {0} && mkdir gone && cd gone && rmdir {0}/gone && \"$PHALANX\" run ../job.yaml",
      workshop.path().string()));
  EXPECT_EQ(refused.code, 7);
  EXPECT_THAT(refused.errors, HasSubstr("help: correct the path"));
}

TEST(RunCommand, ThatRefusesToResumeMakesNoOutput) {
  const Workshop workshop;
  for (const auto& [how, code] : {std::pair("must", 13), std::pair("/nope", 2)}) {
    const auto refused = workshop.phalanx({"run", workshop.job(), std::string("--resume=") + how});
    EXPECT_EQ(refused.code, code) << refused.errors;
    EXPECT_THAT(refused.errors, HasSubstr("help: "));
    EXPECT_FALSE(std::filesystem::exists(workshop.path() / "run"));
  }
}

TEST(RunCommand, WithJsonPrintsTheSummary) {
  const Workshop workshop;
  const auto ended = workshop.phalanx({"run", workshop.job(), "--train.steps=2", "--json"});
  ASSERT_EQ(ended.code, 0) << ended.errors;
  EXPECT_EQ(Json::parse(ended.output)["steps"], 2);
}

TEST(RunCommand, GoesOnWhenNobodyReadsWhatItSays) {
  const Workshop workshop;
  const auto line = fmt::format("\"$PHALANX\" run {} --train.steps=5 2>&1 >/dev/null | head -n 1",
                                workshop.job().string());
  EXPECT_EQ(workshop.shell(line).code, 0);
  const auto over = workshop.phalanx({"status", workshop.path() / "run"});
  EXPECT_THAT(over.output, HasSubstr("over: done at step 5"));
}

TEST(Commands, WhoseResultCannotBeWrittenSaySo) {
  const Workshop workshop;
  const auto outcome = workshop.shell("\"$PHALANX\" --help >/dev/full");
  EXPECT_EQ(outcome.code, 7);
  EXPECT_THAT(outcome.errors, HasSubstr("standard output: write: No space left on device"));
  EXPECT_THAT(outcome.errors, HasSubstr("help: "));
}

TEST(RunCommand, SaysWhatToDoAboutAnOutputThatCannotBeMade) {
  const Workshop workshop;
  const auto outcome = workshop.phalanx({"run", workshop.job(), "--output=/proc/phalanx"});
  EXPECT_EQ(outcome.code, 7);
  EXPECT_THAT(outcome.errors, HasSubstr("/proc/phalanx: create: "));
  EXPECT_THAT(outcome.errors, HasSubstr("help: choose an `output`"));
  const auto dry = workshop.phalanx(
      {"run", workshop.job(), "--output=" + (workshop.job() / "run").string(), "--dry-run"});
  EXPECT_EQ(dry.code, 7);
  EXPECT_THAT(dry.errors, HasSubstr("job.yaml: expected a folder for the output, found a file"));
}

TEST(RunCommand, NamesEveryMissingDataFileWithItsKeyAndWhereItWasSet) {
  const Workshop workshop;
  const auto outcome =
      workshop.phalanx({"run", workshop.job(), "--dry-run", "--data.train.0.path=/nowhere/a",
                        "--data.validation.path=/nowhere/b"});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_THAT(outcome.errors, HasSubstr("--data.train.0.path: data.train.0.path: /nowhere/a: "));
  EXPECT_THAT(outcome.errors,
              HasSubstr("--data.validation.path: data.validation.path: /nowhere/b: "));
}

TEST(ValidateCommand, PrintsEveryProblemAsJson) {
  const Workshop workshop;
  const auto good = Json::parse(workshop.phalanx({"validate", workshop.job(), "--json"}).output);
  EXPECT_EQ(good["valid"], true);
  const auto outcome =
      workshop.phalanx({"validate", workshop.job(), "--train.step=4", "--seed=x", "--json"});
  EXPECT_EQ(outcome.code, 2);
  const auto bad = Json::parse(outcome.output);
  EXPECT_EQ(bad["valid"], false);
  ASSERT_EQ(bad["problems"].size(), 2u);
  EXPECT_THAT(outcome.errors, HasSubstr("--train.step"));
}

TEST(GenerateCommand, ContinuesAPromptTheSameWayEachTime) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.steps=300", "--checkpoint.every=300"});
  ASSERT_EQ(run.wait(), 0) << run.console();
  const std::string checkpoint = run.checkpoints().back();
  const Arguments arguments = {"generate", checkpoint, "--prompt=rank ", "--tokens=24"};
  const auto first = workshop.phalanx(arguments), second = workshop.phalanx(arguments);
  ASSERT_EQ(first.code, 0) << first.errors;
  EXPECT_EQ(first.output, second.output);
  // It has learned the corpus' few words.
  EXPECT_THAT(first.output, ::testing::ContainsRegex("rank|step|and|marches|on|when|falls"));
  EXPECT_GE(first.output.size(), 24u);
  // A run stands for its newest checkpoint.
  const auto json = Json::parse(
      workshop.phalanx({"generate", run.output(), "--prompt=rank ", "--tokens=24", "--json"})
          .output);
  EXPECT_EQ(json["checkpoint"], checkpoint);
  EXPECT_EQ(json["text"].get<std::string>() + "\n", first.output);
  EXPECT_EQ(json["tokens"], 24);
}

TEST(GenerateCommand, SaysWhatItNeeds) {
  const Workshop workshop;
  const auto nothing = workshop.phalanx({"generate", "/nope"});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_THAT(nothing.errors, HasSubstr("found nothing\nhelp: "));
  std::filesystem::create_directories(workshop.path() / "empty" / "checkpoints");
  const auto empty = workshop.phalanx({"generate", workshop.path() / "empty"});
  EXPECT_EQ(empty.code, 13);
  EXPECT_THAT(empty.errors, HasSubstr("help: "));
}

}  // namespace
}  // namespace phalanx::system_test
