#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "data/error.h"
#include "launcher/error.h"
#include "tests/cli/command_output.h"
#include "tests/data/temporary_folder.h"

namespace phalanx::launcher {
namespace {

using data::python_source;
using data::TemporaryFolder;
using testing::HasSubstr;

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
  EXPECT_THROW(output_of({"data"}), RefusedError);
  EXPECT_THROW(output_of({"data", "prepare", train}), RefusedError);
  EXPECT_THROW(output_of({"data", "prepare", train, "--output", train, "--validation-output", "x"}),
               RefusedError);
}

TEST_F(DataCommands, PrepareNamesTheTokenizersThereAre) {
  EXPECT_THAT(error_of<RefusedError>({"data", "prepare", (folder / "in").string(), "--output",
                                      train, "--tokenizer", "bpe"}),
              HasSubstr("--tokenizer: expected bytes, found `bpe`"));
}

TEST_F(DataCommands, PrepareReplacesNoPipeAndNoFolderAndReadsNothingBefore) {
  const std::string pipe = (folder / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::string missing = (folder / "missing").string();
  EXPECT_THAT(error_of<StorageError>({"data", "prepare", missing, "--output", pipe}),
              HasSubstr("pipe: expected the name of a file to write, found a device"));
  EXPECT_THAT(
      error_of<StorageError>({"data", "prepare", missing, "--output", (folder / "in").string()}),
      HasSubstr("found a folder"));
  EXPECT_THAT(error_of<StorageError>({"data", "prepare", missing, "--output", train,
                                      "--validation-output", pipe, "--validation-fraction", "0.5"}),
              HasSubstr("found a device"));
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

}  // namespace
}  // namespace phalanx::launcher
