#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/config/job_folder.h"

namespace phalanx::config {
namespace {

Setting setting(const LoadedJob& loaded, const std::string& path) {
  const auto found = std::find_if(loaded.settings.begin(), loaded.settings.end(),
                                  [&](const Setting& setting) { return setting.path == path; });
  return found == loaded.settings.end() ? Setting{} : *found;
}

TEST(Load, TakesTheExampleOfTheDesignAsItIsWritten) {
  const JobFolder folder;
  const auto job = folder.load(kExample).job;
  EXPECT_EQ(job.name, "tiny-code-model");
  EXPECT_EQ(job.seed, 1u);
  EXPECT_EQ(job.model.ffn_width, 704);
  EXPECT_EQ(job.model.vocab_size, 0);
  ASSERT_EQ(job.data.train.size(), 1u);
  EXPECT_EQ(job.data.train[0].path, folder.path("corpus/train.tokens"));
  EXPECT_EQ(job.data.validation.path, folder.path("corpus/validation.tokens"));
  EXPECT_EQ(job.data.validation.every, 50);
  EXPECT_EQ(job.train.optimizer.lr, 3e-4);
  EXPECT_EQ(job.train.optimizer.beta1, 0.9);
  EXPECT_EQ(job.train.optimizer.beta2, 0.95);
  EXPECT_EQ(job.train.lr_schedule.warmup, 10);
  EXPECT_EQ(job.train.lr_schedule.min_lr, 3e-5);
  EXPECT_EQ(job.parallel.data, 0);
  EXPECT_EQ(job.checkpoint.keep, 3);
  EXPECT_EQ(job.ranks(), 4);
  EXPECT_EQ(job.output, folder.path("runs/tiny-code-model"));
}

TEST(Load, GivesTheRestOfASmallJobItsDefaults) {
  const JobFolder folder;
  const auto job = folder.load(kSmallest).job;
  EXPECT_EQ(job.model.preset, "llama");
  EXPECT_EQ(job.train.micro_batch, 1);
  EXPECT_EQ(job.train.optimizer.beta2, 0.95);
  EXPECT_EQ(job.train.optimizer.clip_norm, 1.0);
  EXPECT_EQ(job.data.train[0].weight, 1.0);
  EXPECT_TRUE(job.data.validation.path.empty());
  EXPECT_EQ(job.ranks(), 1);
}

TEST(Load, TellsWhereEveryValueComesFrom) {
  const JobFolder folder;
  const auto loaded = folder.load(kSmallest, {"--train.steps=7", "train.optimizer.betas.0=0.8"});
  EXPECT_EQ(setting(loaded, "model.width").origin, folder.path("job.yaml") + ":4:10");
  EXPECT_EQ(setting(loaded, "data.train.0.path").origin, folder.path("job.yaml") + ":11:13");
  EXPECT_EQ(setting(loaded, "train.steps").origin, "--train.steps");
  EXPECT_EQ(setting(loaded, "train.steps").value, "7");
  EXPECT_EQ(setting(loaded, "train.optimizer.betas").value, "[0.8, 0.95]");
  EXPECT_EQ(setting(loaded, "train.optimizer.betas").origin, "--train.optimizer.betas.0");
  EXPECT_EQ(setting(loaded, "train.optimizer.lr").origin, "default");
  EXPECT_EQ(setting(loaded, "model.vocab_size").value, "auto");
  EXPECT_EQ(setting(loaded, "output").value, folder.path("run"));
}

TEST(Load, ReadsNumbersExactly) {
  const JobFolder folder;
  const auto job = folder
                       .load(kSmallest, {"train.optimizer.lr=0.1", "train.lr_schedule.min_lr=3e-5",
                                         "seed=18446744073709551615",
                                         "train.optimizer.epsilon=2.2250738585072014e-308"})
                       .job;
  EXPECT_EQ(job.train.optimizer.lr, 0.1);
  EXPECT_EQ(job.train.lr_schedule.min_lr, 3e-5);
  EXPECT_EQ(job.seed, 18446744073709551615u);
  EXPECT_EQ(job.train.optimizer.epsilon, 2.2250738585072014e-308);
}

TEST(Load, TakesTextInQuotesAndTextThatLooksLikeSomethingElse) {
  const JobFolder folder;
  EXPECT_EQ(folder.load(replaced(kSmallest, "small", "\"a: b # c\"")).job.name, "a: b # c");
  EXPECT_EQ(folder.load(replaced(kSmallest, "small", "7")).job.name, "7");
  EXPECT_EQ(folder.load(replaced(kSmallest, "small", "naïve")).job.name, "naïve");
}

TEST(Load, ReadsWindowsLineEndsAndAByteOrderMark) {
  const JobFolder folder;
  std::string text = "\xef\xbb\xbf";
  for (const char c : std::string(kSmallest))
    text += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_EQ(folder.load(text).job.train.steps, 200);
}

TEST(Load, TakesAWordAloneForAListOfIt) {
  const JobFolder folder;
  using Words = std::vector<std::string>;
  const auto words = [&](const std::vector<std::string>& flags) {
    return folder.load(std::string(kSmallest) + "parallel: {recompute: [none, full]}\n", flags)
        .job.parallel.recompute;
  };
  EXPECT_EQ(folder.load(kSmallest).job.parallel.recompute, Words{"none"});
  EXPECT_EQ(words({}), (Words{"none", "full"}));
  EXPECT_EQ(words({"parallel.recompute=selective"}), Words{"selective"});
  EXPECT_EQ(words({"parallel.recompute=[full, selective]"}), (Words{"full", "selective"}));
  EXPECT_EQ(words({"parallel.recompute.0=selective"}), (Words{"selective", "full"}));
  EXPECT_EQ(words({"parallel.recompute.2=full"}), (Words{"none", "full", "full"}));
  EXPECT_EQ(
      setting(folder.load(kSmallest, {"parallel.recompute=full"}), "parallel.recompute").value,
      "full");
  EXPECT_EQ(
      setting(folder.load(kSmallest, {"parallel.recompute=[full, none]"}), "parallel.recompute")
          .value,
      "[full, none]");
}

TEST(Flags, ReachEveryKindOfKey) {
  const JobFolder folder;
  const auto job =
      folder
          .load(kSmallest, {"--data.train[0].path=/a/b", "--train.optimizer.betas=[0.5, 0.6]",
                            "--train.lr_schedule={warmup: 3, min_lr: 1e-6}",
                            "--data.validation.path=/a/c", "--model.vocab_size=300"})
          .job;
  EXPECT_EQ(job.data.train[0].path, "/a/b");
  EXPECT_EQ(job.train.optimizer.beta2, 0.6);
  EXPECT_EQ(job.train.lr_schedule.warmup, 3);
  EXPECT_EQ(job.data.validation.path, "/a/c");
  EXPECT_EQ(job.data.validation.batches, 8);
  EXPECT_EQ(job.model.vocab_size, 300);
}

TEST(Flags, OfTwoForOneKeyTheLastCounts) {
  const JobFolder folder;
  EXPECT_EQ(folder.load(kSmallest, {"train.steps=1", "train.steps=2"}).job.train.steps, 2);
}

TEST(Flags, MakeAJobWholeThatTheFileLeftIncomplete) {
  const JobFolder folder;
  const auto text = replaced(replaced(kSmallest, "    - path: train.tokens\n", ""), "  train:\n",
                             "  tokenizer: bytes\n");
  EXPECT_EQ(folder.load(text, {"data.train.0.path=/a"}).job.data.train[0].path, "/a");
}

TEST(Flags, TakePathsRelativeToTheCurrentFolder) {
  const JobFolder folder;
  const auto here = std::filesystem::current_path();
  EXPECT_EQ(folder.load(kSmallest, {"output=x/../y/"}).job.output, (here / "y").string());
}

TEST(Flags, ThatReplaceAListForgetWhatTheFileSaidOfIt) {
  const JobFolder folder;
  const auto text =
      replaced(kSmallest, "path: train.tokens", "path: train.tokens\n      weight: 1.0");
  const auto loaded = folder.load(text, {"data.train=[{path: /a}]"});
  EXPECT_EQ(setting(loaded, "data.train.0.path").origin, "--data.train");
  EXPECT_EQ(setting(loaded, "data.train.0.weight").origin, "default");
}

}  // namespace
}  // namespace phalanx::config
