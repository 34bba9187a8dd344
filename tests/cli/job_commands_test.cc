#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "config/config_error.h"
#include "tests/cli/command_output.h"
#include "tests/data/temporary_folder.h"

namespace phalanx::launcher {
namespace {

using testing::HasSubstr;

// Examples take the corpus that scripts/quickstart.sh makes, by a path relative to their folder.
TEST(RunCommand, DryRunsEveryExampleWhereTheCorpusIs) {
  data::TemporaryFolder folder;
  for (int i = 0; i < 400; ++i)
    folder.write("in/" + std::to_string(i) + ".py", data::python_source(i, 10));
  for (const auto* part : {"train", "validation"})
    output_of({"data", "prepare", folder / "in", "--output",
               folder.write(std::string("runs/corpus/") + part + ".tokens", "")});
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(PHALANX_SOURCE_DIR) / "examples")) {
    const auto job = folder / "examples" / entry.path().filename();
    std::filesystem::create_directories(job.parent_path());
    std::filesystem::copy_file(entry.path(), job);
    const auto plan = json_of({"run", job, "--dry-run"});
    EXPECT_EQ(plan["ranks"], 4) << job;
    EXPECT_EQ(plan["first_step"], 1) << job;
    EXPECT_FALSE(std::filesystem::exists(plan["output"].get<std::string>())) << job;
    ++count;
  }
  EXPECT_GE(count, 2);
}

TEST(RunCommand, DryRunsWithTheMemoryOfThePlan) {
  data::TemporaryFolder folder;
  for (const auto* part : {"train", "validation"})
    output_of({"data", "prepare", folder.write("in/a.py", data::python_source(1, 4000)), "--output",
               folder.write(std::string("runs/corpus/") + part + ".tokens", "")});
  const auto job = folder.write(
      "examples/job.yaml",
      read_file(std::filesystem::path(PHALANX_SOURCE_DIR) / "examples/tiny-code-model.yaml"));
  const auto bytes = json_of({"plan", job})["ranks"][0]["bytes"];
  EXPECT_EQ(json_of({"run", job, "--dry-run"})["state_bytes_per_rank"].get<std::int64_t>() +
                bytes["activations"].get<std::int64_t>(),
            bytes["total"]);
}

TEST(RunCommand, RefusesAVocabularyThatTheTokenizerDoesNotFitInWhereItIsWritten) {
  data::TemporaryFolder folder;
  const std::string job = folder.write("job.yaml", R"(name: small
model: {layers: 1, width: 8, heads: 2, kv_heads: 1, ffn_width: 8, sequence_length: 8, vocab_size: 100}
data: {train: [{path: none.tokens}]}
train: {steps: 1, global_batch: 1}
output: run
)");
  const std::string expected =
      "model.vocab_size: expected at least 257, what the tokenizer bytes needs, found ";
  EXPECT_THAT(error_of<config::ConfigError>({"run", job}),
              HasSubstr(job + ":2:99: " + expected + "100\nhelp: write `vocab_size: auto`"));
  EXPECT_THAT(error_of<config::ConfigError>({"run", job, "--model.vocab_size=256"}),
              HasSubstr("error: --model.vocab_size: expected at least 257"));
}

}  // namespace
}  // namespace phalanx::launcher
