#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/job_folder.h"

namespace phalanx::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A problem at `line`:`column` with `path` and texts in message and help.
auto problem(int line, int column, const std::string& path, const std::string& message,
             const std::string& help = "") {
  return AllOf(Field("place", &ConfigProblem::place,
                     AllOf(Field(&Place::line, line), Field(&Place::column, column))),
               Field("path", &ConfigProblem::path, path),
               Field("message", &ConfigProblem::message, HasSubstr(message)),
               Field("help", &ConfigProblem::help, HasSubstr(help)));
}

TEST(Errors, AreReportedAllAtOnceInTheOrderOfTheFile) {
  const JobFolder folder;
  auto text = replaced(kSmallest, "steps: 200", "steps: many");
  text = replaced(text, "layers: 4", "leyers: 4");
  text = replaced(text, "ffn_width: 704", "ffn_width: 0");
  EXPECT_THAT(
      folder.problems(text, {"chekpoint.every=4"}),
      ElementsAre(
          problem(2, 1, "model.layers", "found nothing: the key is required"),
          problem(3, 3, "model.leyers", "unknown key", "did you mean `layers`?"),
          problem(7, 14, "model.ffn_width", "expected a whole number from 1 to 16777216, found 0"),
          problem(13, 10, "train.steps",
                  "expected a whole number from 1 to 1000000000, found \"many\""),
          problem(0, 0, "chekpoint.every", "unknown flag", "did you mean `--checkpoint.every`?")));
}

TEST(Errors, OfASectionThatLacksSeveralKeysAreOne) {
  const JobFolder folder;
  auto text = replaced(kSmallest, "layers: 4", "");
  text = replaced(text, "ffn_width: 704", "");
  EXPECT_THAT(
      folder.problems(text),
      ElementsAre(problem(2, 1, "model", "expected the keys layers, ffn_width, found none of them",
                          "`layers`: Transformer layers.\n`ffn_width`: ")));
}

TEST(Errors, ReadLikeThoseOfACompiler) {
  const JobFolder folder;
  const auto file = folder.write(replaced(kExample, "heads: 4", "heads: four"));
  try {
    load_job(file);
    FAIL();
  } catch (const ConfigError& error) {
    const std::string spaces(
        std::string("model:      {preset: llama, layers: 4, width: 256, heads: ").size(), ' ');
    EXPECT_EQ(error.what(),
              "error: " + file +
                  ":3:59: model.heads: expected a whole number from 1 to 65536, found \"four\"\n" +
                  "   |\n" +
                  " 3 | model:      {preset: llama, layers: 4, width: 256, heads: four, kv_heads: "
                  "2, ffn_width: 704, "
                  "sequence_length: 256, vocab_size: auto}\n" +
                  "   | " + spaces + "^^^^\n" +
                  "help: `heads`: Attention heads of a layer; `width / heads` must be even, but "
                  "with `gpt2`.");
  }
}

TEST(Errors, NameAKeyOfAnotherSection) {
  const JobFolder folder;
  EXPECT_THAT(
      folder.problems(replaced(kSmallest, "global_batch", "lr: 1\n  global_batch")),
      ElementsAre(problem(14, 3, "train.lr", "unknown key", "did you mean `train.optimizer.lr`?")));
}

TEST(Errors, ShowBothPlacesOfADuplicateKey) {
  const JobFolder folder;
  EXPECT_THAT(folder.problems(replaced(kSmallest, "name: small", "name: small\nname: big")),
              ElementsAre(problem(2, 1, "name",
                                  "duplicate key, first at " + folder.path("job.yaml") + ":1:1")));
}

TEST(Errors, RefuseValuesOfAnotherType) {
  const JobFolder folder;
  const auto steps = [&](const std::string& value) {
    return folder.problems(replaced(kSmallest, "steps: 200", "steps: " + value));
  };
  EXPECT_THAT(steps("2.5"), ElementsAre(problem(13, 10, "train.steps", "found 2.5")));
  EXPECT_THAT(steps("1e3"),
              ElementsAre(problem(13, 10, "train.steps", "found 1e3", "write it in digits: 1000")));
  EXPECT_THAT(steps("010"),
              ElementsAre(problem(13, 10, "train.steps", "found 010", "write it in digits: 10")));
  EXPECT_THAT(steps("-1"), ElementsAre(problem(13, 10, "train.steps", "found -1", "`steps`: ")));
  EXPECT_THAT(steps("\"200\""), ElementsAre(problem(13, 10, "train.steps", "found the text 200",
                                                    "leave out the quotes")));
  EXPECT_THAT(steps("true"), ElementsAre(problem(13, 10, "train.steps", "found \"true\"")));
  EXPECT_THAT(steps("auto"), ElementsAre(problem(13, 10, "train.steps", "found \"auto\"")));
  EXPECT_THAT(steps("[200]"), ElementsAre(problem(13, 10, "train.steps", "found a list")));
  EXPECT_THAT(steps("{a: 1}"), ElementsAre(problem(13, 10, "train.steps", "found a map")));
  EXPECT_THAT(steps(""), ElementsAre(problem(13, 3, "train.steps", "found nothing")));
  EXPECT_THAT(steps("~"), ElementsAre(problem(13, 3, "train.steps", "found nothing")));
  EXPECT_THAT(steps("99999999999999999999"),
              ElementsAre(problem(13, 10, "train.steps", "found 99999999999999999999")));
  EXPECT_THAT(steps("-1"), ElementsAre(problem(13, 10, "train.steps", "found -1")));
}

TEST(Errors, RefuseNumbersThatAreNone) {
  const JobFolder folder;
  const auto lr = [&](const std::string& value) {
    return folder.problems(kSmallest, {"train.optimizer.lr=" + value});
  };
  for (const std::string value :
       {"nan", "inf", ".inf", "-.inf", "1e999", "1e-999", "0x10", "", "3e-4x", "0", "-1"})
    EXPECT_THAT(lr(value), ElementsAre(problem(0, 0, "train.optimizer.lr",
                                               "expected a number above 0, found")))
        << value;
}

TEST(Errors, RefuseSectionsAndListsOfAnotherShape) {
  const JobFolder folder;
  EXPECT_THAT(folder.problems(std::string(kSmallest) + "recovery: 5\n"),
              ElementsAre(problem(16, 11, "recovery", "expected a map of keys, found 5",
                                  "snapshot_every")));
  EXPECT_THAT(folder.problems(kSmallest, {"train.optimizer.betas=[0.9]"}),
              ElementsAre(problem(0, 0, "train.optimizer.betas",
                                  "expected a list of 2, each a number from 0, below 1, "
                                  "found 1 element")));
  EXPECT_THAT(folder.problems(kSmallest, {"train.optimizer.betas=[0.9, 1]"}),
              ElementsAre(problem(0, 0, "train.optimizer.betas.1",
                                  "expected a number from 0, below 1, found 1")));
  EXPECT_THAT(folder.problems(kSmallest, {"train.optimizer.betas=[x, 0.9]"}), SizeIs(1));
  EXPECT_THAT(
      folder.problems(kSmallest, {"data.train=[]"}),
      ElementsAre(problem(0, 0, "data.train", "expected a list, not empty, found 0 elements")));
  EXPECT_THAT(folder.problems(kSmallest, {"parallel.recompute=[]"}),
              ElementsAre(problem(0, 0, "parallel.recompute",
                                  "expected none, selective or full, or a list of these, "
                                  "found 0 elements")));
  EXPECT_THAT(folder.problems(kSmallest, {"parallel.recompute=[full, ful]"}),
              ElementsAre(problem(0, 0, "parallel.recompute.1",
                                  "expected none, selective or full, found \"ful\"",
                                  "did you mean `full`?")));
  EXPECT_THAT(folder.problems("[1, 2]"),
              ElementsAre(problem(1, 1, "", "expected a map of keys, found a list")));
  EXPECT_THAT(folder.problems(std::string(kSmallest) + "[a]: 5\n"),
              ElementsAre(problem(16, 1, "?", "expected the name of a key, found a list")));
}

TEST(Errors, NameTheNearestOfTheAllowedWords) {
  const JobFolder folder;
  EXPECT_THAT(folder.problems(kSmallest, {"train.precision=fp12"}),
              ElementsAre(problem(0, 0, "train.precision", "expected fp32 or bf16, found \"fp12\"",
                                  "did you mean `fp32`?")));
  EXPECT_THAT(folder.problems(kSmallest, {"parallel.data=atuo"}),
              ElementsAre(problem(0, 0, "parallel.data", "expected auto or a whole number",
                                  "did you mean `auto`?")));
}

TEST(Errors, SayOfEveryValueThatIsPlannedThatItIsNotSupportedYet) {
  const JobFolder folder;
  const std::vector<std::pair<std::string, std::string>> planned = {
      {"train.precision", "fp64"},       {"model.preset", "gpt"},
      {"data.tokenizer", "bpe.json"},    {"train.optimizer.name", "muon"},
      {"train.lr_schedule.name", "wsd"}, {"data.train.0.weight", "0.5"},
      {"recovery.snapshot_every", "5"}};
  for (const auto& [path, value] : planned)
    EXPECT_THAT(folder.problems(kSmallest, {path + "=" + value}),
                ElementsAre(problem(0, 0, path, "which is not supported yet")));
  EXPECT_THAT(folder.problems(kSmallest, {"data.train=[{path: a}, {path: b}]"}),
              ElementsAre(problem(0, 0, "data.train", "not supported yet")));
  EXPECT_THAT(folder.problems(kSmallest, {"data.train.1.path=b"}),
              ElementsAre(problem(0, 0, "data.train", "not supported yet")));
}

TEST(Errors, SayOfAValueOutOfRangeNothingAboutTheFuture) {
  const JobFolder folder;
  for (const std::string flag :
       {"parallel.tensor=0", "parallel.zero_stage=4", "recovery.snapshot_every=-1"})
    EXPECT_THAT(folder.problems(kSmallest, {flag}),
                ElementsAre(Field(&ConfigProblem::message, testing::Not(HasSubstr("supported")))))
        << flag;
}

TEST(Errors, ReportFilesThatAreNoJob) {
  const JobFolder folder;
  folder.write(kSmallest);
  EXPECT_THAT(folder.problems_of(folder.path("jobs.yaml")),
              ElementsAre(problem(0, 0, "", "found nothing",
                                  "did you mean `" + folder.path("job.yaml") + "`?")));
  EXPECT_THAT(folder.problems_of(folder.path("")),
              ElementsAre(problem(0, 0, "", "found a folder")));
  EXPECT_THAT(folder.problems_of(folder.path("job.yaml") + "/x"),
              ElementsAre(problem(0, 0, "", "expected a job file")));
  std::filesystem::create_symlink("loop", folder.path("loop"));
  EXPECT_THAT(folder.problems_of(folder.path("loop")),
              ElementsAre(problem(0, 0, "", "cannot be read: Too many levels")));
  for (const std::string empty : {"", "# nothing but a comment\n", "---\n", "null\n"})
    EXPECT_THAT(folder.problems(empty), ElementsAre(problem(1, 1, "", "found an empty file")))
        << empty;
  EXPECT_THAT(folder.problems(std::string(2 << 20, '#')),
              ElementsAre(problem(0, 0, "", "more than 1 MiB")));
}

TEST(Errors, ReportYamlThatIsNone) {
  const JobFolder folder;
  EXPECT_THAT(folder.problems("name: {a: 1\nseed: 2\n"),
              ElementsAre(problem(2, 5, "", "expected one YAML document, found")));
  EXPECT_THAT(
      folder.problems(std::string(kSmallest) + "---\nname: two\n"),
      ElementsAre(problem(16, 1, "", "expected one YAML document, found a second document")));
  EXPECT_THAT(folder.problems(", " + std::string(kSmallest)),
              ElementsAre(problem(1, 1, "", "found a character out of place")));
  EXPECT_THAT(folder.problems(kSmallest, {"train.optimizer.betas=[0.9, 0.95] [1]"}), SizeIs(1));
  EXPECT_THAT(folder.problems("name: *nobody\n"), SizeIs(1));
  EXPECT_THAT(
      folder.problems(kSmallest, {"train.optimizer.betas=[0.9,"}),
      ElementsAre(problem(0, 0, "train.optimizer.betas", "expected one YAML value, found")));
}

TEST(Errors, ReportFlagsThatAreNone) {
  const JobFolder folder;
  EXPECT_THAT(
      folder.problems(kSmallest, {"--train.steps"}),
      ElementsAre(problem(0, 0, "train.steps", "expected --train.steps=VALUE, found no value")));
  EXPECT_THAT(folder.problems(kSmallest, {"--steps=5"}),
              ElementsAre(problem(0, 0, "steps", "unknown flag", "did you mean `--train.steps`?")));
  EXPECT_THAT(
      folder.problems(kSmallest, {"--data.train.5.path=a"}),
      ElementsAre(problem(0, 0, "data.train.5.path", "expected an index from 0 to 1, found 5")));
  EXPECT_THAT(folder.problems(kSmallest, {"train.optimizer.betas.2=0.5"}),
              ElementsAre(problem(0, 0, "train.optimizer.betas", "found 3 elements")));
  EXPECT_THAT(folder.problems(kSmallest, {"data.validation.every=5"}),
              ElementsAre(problem(0, 0, "data.validation.path", "the key is required")));
  for (const std::string odd :
       {"", "=", "-", "--", "--=1", ".", "a..b=1", "train.=1", "train.steps.0=1", "data.train.x=1",
        "data.train.-1.path=a", "data.train.99999999999.path=a", "[]=1", "train[steps=1"})
    EXPECT_THAT(folder.problems(kSmallest, {odd}), SizeIs(1)) << odd;
}

TEST(Errors, RefuseTextThatWouldBreakALine) {
  const JobFolder folder;
  EXPECT_THAT(folder.problems(replaced(kSmallest, "small", "\"a\\nb\"")),
              ElementsAre(problem(1, 7, "name", "found \"a\\x0ab\", which has a line break")));
  EXPECT_THAT(folder.problems(replaced(kSmallest, "small", "\"\"")),
              ElementsAre(problem(1, 7, "name", "found empty text")));
}

TEST(Errors, RefuseAHomeFolderThatNoShellExpanded) {
  const JobFolder folder;
  EXPECT_THAT(
      folder.problems(kSmallest, {"output=~/runs"}),
      ElementsAre(problem(0, 0, "output",
                          "expected a path, found \"~/runs\", which only a shell expands")));
}

TEST(Errors, KeepControlCharactersOffTheTerminal) {
  const JobFolder folder;
  const auto problems =
      folder.problems(std::string(kSmallest) + "\"\\e[2J\": 1\n\"\\e[2J\": \"\\a\"\n");
  ASSERT_EQ(problems.size(), 2u);
  for (const auto& one : problems) EXPECT_EQ(one.text().find_first_of("\x1b\a"), std::string::npos);
}

}  // namespace
}  // namespace phalanx::config
