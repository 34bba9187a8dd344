#include "launcher/cli/data_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "data/error.h"
#include "tests/data/temporary_folder.h"

namespace phalanx::launcher {
namespace {

using data::python_source;
using data::TemporaryFolder;
using testing::HasSubstr;

// What `phalanx ARGUMENTS...` prints on stdout.
std::string output_of(std::vector<std::string> arguments) {
  CLI::App app;
  add_data_commands(app);
  std::reverse(arguments.begin(), arguments.end());
  testing::internal::CaptureStdout();
  try {
    app.parse(arguments);
  } catch (...) {
    testing::internal::GetCapturedStdout();
    throw;
  }
  return testing::internal::GetCapturedStdout();
}

nlohmann::json json_of(std::vector<std::string> arguments) {
  arguments.push_back("--json");
  return nlohmann::json::parse(output_of(std::move(arguments)));
}

class DataCommands : public testing::Test {
 protected:
  DataCommands() {
    for (int i = 0; i < 40; ++i)
      folder.write("in/" + std::to_string(i) + ".py", python_source(i, 10));
    prepare = {"data",
               "prepare",
               (folder / "in").string(),
               "--output",
               train,
               "--tokenizer",
               "bytes",
               "--threads",
               "2",
               "--validation-output",
               validation,
               "--validation-fraction",
               "0.2"};
  }

  TemporaryFolder folder;
  std::string train = (folder / "train.tokens").string();
  std::string validation = (folder / "validation.tokens").string();
  std::vector<std::string> prepare;
};

TEST_F(DataCommands, PrepareSaysWhatItReadAndWrote) {
  const auto result = json_of(prepare);
  EXPECT_EQ(result["files"], 40);
  EXPECT_EQ(result["train"]["path"], train);
  EXPECT_EQ(result["train"]["documents"].get<int>() + result["validation"]["documents"].get<int>(),
            40);
  EXPECT_EQ(result["train"]["tokens"].get<int>() + result["validation"]["tokens"].get<int>(),
            result["bytes"].get<int>() + 40);
  EXPECT_THAT(output_of(prepare), HasSubstr("wrote " + validation));
}

TEST_F(DataCommands, InspectShowsWhatAFileHolds) {
  output_of(prepare);
  const auto result = json_of({"data", "inspect", train, "--verify"});
  EXPECT_EQ(result["tokenizer"], "bytes");
  EXPECT_EQ(result["vocab_size"], 257);
  EXPECT_EQ(result["verified"], true);
  EXPECT_THAT(result["text"].get<std::string>(), HasSubstr("\\nimport os\\n\\ndef function_"));
  EXPECT_THAT(output_of({"data", "inspect", train}), HasSubstr("tokenizer  bytes"));
}

TEST_F(DataCommands, BaselinePrintsTheTable) {
  output_of(prepare);
  const std::vector<std::string> command{"data",         "baseline", "--train",           train,
                                         "--validation", validation, "--sequence-length", "64"};
  const auto result = json_of(command);
  EXPECT_LT(result["trigram"], result["bigram"]);
  EXPECT_LT(result["bigram"], result["unigram"]);
  EXPECT_THAT(output_of(command), HasSubstr("trigram"));
}

TEST_F(DataCommands, ThrowWhatWentWrong) {
  EXPECT_THROW(output_of({"data", "inspect", train}), DataError);
  EXPECT_THROW(output_of({"data"}), CLI::ParseError);
  EXPECT_THROW(output_of({"data", "prepare", train}), CLI::ParseError);
  EXPECT_THROW(output_of({"data", "prepare", train, "--output", train, "--validation-output", "x"}),
               CLI::ParseError);
}

}  // namespace
}  // namespace phalanx::launcher
