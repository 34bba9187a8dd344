#include "launcher/cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_error.h"
#include "launcher/error.h"
#include "tests/cli/command_output.h"

namespace phalanx::launcher {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> words_of(const Subcommand& command) {
  const auto space = command.name.find(' ');
  if (space == std::string::npos) return {command.name};
  return {command.name.substr(0, space), command.name.substr(space + 1)};
}

TEST(CommandLine, RefusesAWordThatIsNoCommandAndNamesTheNearest) {
  EXPECT_THAT(error_of<RefusedError>({"stauts"}),
              HasSubstr("expected a command, found `stauts` | did you mean `status`?"));
  EXPECT_THAT(
      error_of<RefusedError>({"ckpt", "verfy"}),
      HasSubstr("phalanx ckpt: expected a command, found `verfy` | did you mean `verify`?"));
  EXPECT_THAT(error_of<RefusedError>({}), HasSubstr("found none"));
  EXPECT_THAT(error_of<RefusedError>({"ckpt"}), HasSubstr("`phalanx ckpt --help` lists them"));
}

TEST(CommandLine, RefusesAnOptionThatIsNoneAndNamesTheNearest) {
  EXPECT_THAT(error_of<RefusedError>({"status", "--jsn"}),
              HasSubstr("phalanx status: expected no `--jsn` | did you mean `--json`?"));
  EXPECT_THAT(error_of<RefusedError>({"version", "extra"}), HasSubstr("expected no `extra`"));
}

TEST(CommandLine, TellsAMisspeltOptionFromAKeyOfTheJob) {
  EXPECT_THAT(error_of<RefusedError>({"run", "job.yaml", "--resmue=must"}),
              HasSubstr("expected no `--resmue` | did you mean `--resume`?"));
  EXPECT_THAT(error_of<RefusedError>({"validate", "job.yaml", "--jsno"}),
              HasSubstr("expected no `--jsno` | did you mean `--json`?"));
  for (const char* key : {"--seed=2", "--name=x", "--sede=2", "--recovery.snapshot_every=2"})
    EXPECT_THAT(error_of<config::ConfigError>({"validate", "none.yaml", key}),
                HasSubstr("none.yaml: expected a job file"));
}

TEST(CommandLine, NamesATypoBeforeWhatIsMissingBecauseOfIt) {
  EXPECT_THAT(error_of<RefusedError>({"data", "prepare", "in", "--outptu", "x"}),
              HasSubstr("expected no `--outptu` | did you mean `--output`?"));
  EXPECT_THAT(error_of<RefusedError>({"data", "prepare", "in"}),
              HasSubstr("expected --output, found none | `phalanx data prepare --help`"));
}

TEST(CommandLine, TakesKeysOfAJobWithDashesOnly) {
  EXPECT_THAT(
      error_of<RefusedError>({"run", "job.yaml", "train.steps=5"}),
      HasSubstr("expected no `train.steps` | a key of the job is written --KEY.PATH=VALUE"));
  EXPECT_THAT(error_of<RefusedError>({"run", "--train.steps", "5", "job.yaml"}),
              HasSubstr("expected no `job.yaml`"));
}

TEST(CommandLine, RefusesAValueThatIsNoneOfTheOptions) {
  EXPECT_THAT(error_of<RefusedError>({"generate", "--tokens", "-1"}),
              HasSubstr("--tokens: expected at least 0, found -1"));
  EXPECT_THAT(error_of<RefusedError>({"generate", "--tokens", "many"}), HasSubstr("--tokens"));
  EXPECT_THAT(error_of<RefusedError>({"generate", "--temperature", "nan"}),
              HasSubstr("--temperature: expected at least 0, found nan"));
  EXPECT_THAT(error_of<RefusedError>(
                  {"data", "prepare", "in", "--output", "out", "--validation-fraction", "2"}),
              HasSubstr("--validation-fraction: expected a number from 0 to 1, found 2"));
  EXPECT_THAT(error_of<RefusedError>({"run"}), HasSubstr("JOB"));
}

TEST(CommandLine, HidesTheDaemonsFromPeople) {
  EXPECT_THAT(output_of({"--help"}), AllOf(HasSubstr("data prepare"), Not(HasSubstr("keeper"))));
  EXPECT_THAT(error_of<RefusedError>({"keper"}), Not(HasSubstr("keeper")));
}

TEST(CommandLine, PrintsTheVersionInAllWays) {
  EXPECT_EQ(output_of({"--version"}), output_of({"version"}));
  EXPECT_EQ(json_of({"version"})["version"], PHALANX_VERSION);
}

TEST(Help, OfEachCommandSaysWhatEachOptionMeansAndShowsAnExample) {
  for (const auto& command : all_commands()) {
    if (command.group.empty() || command.name == "version") continue;
    auto words = words_of(command);
    words.push_back("--help");
    const std::string text = output_of(words);
    EXPECT_THAT(text, AllOf(HasSubstr(command.summary), HasSubstr("Usage: phalanx " + command.name),
                            HasSubstr("Exit codes:"), HasSubstr("Examples:\n  phalanx ")));
    EXPECT_THAT(text, HasSubstr("--json"));
    for (const auto& option : command.options) {
      EXPECT_THAT(text, HasSubstr(option.name)) << command.name;
      EXPECT_GE(option.text.size(), 8u) << command.name << " " << option.name;
    }
    for (const auto& example : command.examples)
      EXPECT_TRUE(example.starts_with(command.name)) << example;
  }
}

TEST(Help, IsAlsoACommand) {
  EXPECT_EQ(output_of({"help"}), output_of({"--help"}));
  EXPECT_EQ(output_of({"help", "ckpt", "ls"}), output_of({"ckpt", "ls", "--help"}));
}

TEST(Help, OfAFamilyListsItsCommandsOnly) {
  EXPECT_THAT(output_of({"ckpt", "--help"}),
              AllOf(HasSubstr("ckpt verify"), Not(HasSubstr("data prepare"))));
}

TEST(Help, ShowsDefaultsAndAllowedValues) {
  EXPECT_THAT(output_of({"generate", "--help"}), HasSubstr("[default: 100]"));
  EXPECT_THAT(output_of({"data", "prepare", "-h"}), HasSubstr("[bytes]"));
}

TEST(Commands, ThatPrintAResultHaveJson) {
  for (const auto& command : all_commands())
    EXPECT_EQ(command.prints, !command.group.empty()) << command.name;
}

}  // namespace
}  // namespace phalanx::launcher
