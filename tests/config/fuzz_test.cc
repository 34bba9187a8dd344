#include <gtest/gtest.h>

#include <random>

#include "tests/config/job_folder.h"

namespace phalanx::config {
namespace {

// Either the job loads or it is refused with a reason; anything else ends the test.
void load_or_refuse(const JobFolder& folder, const std::string& text,
                    const std::vector<std::string>& overrides = {}) {
  for (const auto& problem : folder.problems(text, overrides)) EXPECT_FALSE(problem.text().empty());
}

std::string mutated(std::string text, std::mt19937& random) {
  static const std::vector<std::string> kPieces = {
      "{",   "}", "[", "]", ":", ": ", "- ",    "\n",    "  ", "\t", "\"",   "'",    "&a", "*a",
      "!!x", "|", ">", "#", "%", "?",  "---\n", "...\n", ",",  "\0", "\xff", "\xc3", "~",  "<<: "};
  for (auto edits = 1 + random() % 4; edits > 0 && !text.empty(); --edits) {
    const auto at = random() % text.size();
    switch (random() % 4) {
      case 0:
        text.erase(at, 1 + random() % 20);
        break;
      case 1:
        text.insert(at, kPieces[random() % kPieces.size()]);
        break;
      case 2:
        text[at] = static_cast<char>(random());
        break;
      default:
        text.insert(at, text.substr(random() % text.size(), random() % 60));
    }
  }
  return text;
}

TEST(Fuzz, NoChangeOfAJobFileBringsTheLoaderDown) {
  const JobFolder folder;
  std::mt19937 random(20240607);
  for (int i = 0; i < 4000; ++i)
    load_or_refuse(folder, mutated(i % 2 ? kExample : kSmallest, random));
}

TEST(Fuzz, NoChangeOfAFlagBringsTheLoaderDown) {
  const JobFolder folder;
  std::mt19937 random(20240608);
  const std::vector<std::string> flags = {
      "--train.steps=10", "data.train[0].path=a", "train.optimizer.betas=[0.9, 0.95]",
      "data={train: [{path: a, weight: 1.0}], tokenizer: bytes}"};
  for (int i = 0; i < 2000; ++i)
    load_or_refuse(folder, kSmallest, {mutated(flags[random() % flags.size()], random)});
}

TEST(Fuzz, DeepAndHugeFilesAreRefused) {
  const JobFolder folder;
  const auto times = [](const std::string& text, int count) {
    std::string result;
    for (int i = 0; i < count; ++i) result += text;
    return result;
  };
  for (const std::string piece : {"[", "{a: ", "{", "- ", "? ", "a: "}) {
    load_or_refuse(folder, times(piece, 100000));
    EXPECT_FALSE(folder.problems("train: " + times(piece, 5000)).empty()) << piece;
  }
  EXPECT_FALSE(folder.problems(times("key: 1\n", 100000)).empty());
  EXPECT_FALSE(folder.problems(std::string(1000000, 'x') + ": 1\n").empty());
  EXPECT_FALSE(folder.problems(kSmallest, {"train.steps=" + std::string(1000000, '9')}).empty());
}

TEST(Fuzz, AliasesDoNotMultiply) {
  const JobFolder folder;
  std::string text = "a: &a {x: 1}\ndata: {train: [*a";
  for (int i = 0; i < 10000; ++i) text += ", *a";
  EXPECT_FALSE(folder.problems(text + "]}\n").empty());
}

}  // namespace
}  // namespace phalanx::config
