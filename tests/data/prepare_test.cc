#include "data/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "data/error.h"
#include "data/token_file.h"
#include "tests/data/temporary_folder.h"

namespace phalanx::data {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// The documents of a token file as text.
std::vector<std::string> documents(const std::filesystem::path& path) {
  const TokenFile file(path);
  file.verify();
  const auto tokenizer = make_tokenizer(file.tokenizer_name());
  const auto starts = file.document_starts();
  std::vector<std::string> texts;
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    const auto tokens = file.tokens(starts[i], starts[i + 1] - starts[i]);
    EXPECT_EQ(tokens.back(), tokenizer->end_of_document());
    EXPECT_EQ(std::count(tokens.begin(), tokens.end(), tokenizer->end_of_document()), 1);
    texts.push_back(tokenizer->decode(tokens));
  }
  return texts;
}

std::string json_line(const std::string& text) {
  return nlohmann::json{{"id", 7}, {"text", text}}.dump() + "\n";
}

// Python sources in folders, one file longer than several pieces, and one of JSON lines that does
// not fit one piece.
void write_corpus(const TemporaryFolder& folder) {
  for (int i = 0; i < 60; ++i)
    folder.write("corpus/package_" + std::to_string(i % 7) + "/module_" + std::to_string(i) + ".py",
                 python_source(i, i));
  folder.write("corpus/long.txt", python_source(1, 70000));
  std::string lines;
  for (int i = 0; i < 3000; ++i) lines += json_line(python_source(i, i % 50));
  folder.write("corpus/lines.jsonl", lines);
}

// While it lives, files of this process cannot grow beyond `limit` bytes: a disk that is full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t limit) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit smaller{limit, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &smaller);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

TEST(Prepare, MakesADocumentOfEveryFileInTheOrderOfTheirPaths) {
  const TemporaryFolder folder;
  folder.write("in/b.py", "print(2)\n");
  folder.write("in/a/z.txt", "zed");
  folder.write("in/a.md", "# title");
  folder.write("in/photo.jpg", "not text");
  folder.write("in/empty.py", "");
  std::filesystem::create_symlink(folder / "in", folder / "in/loop");
  const auto summary = prepare({.inputs = {folder / "in"}, .output = folder / "out.tokens"});
  EXPECT_THAT(documents(folder / "out.tokens"), ElementsAre("# title", "zed", "print(2)\n"));
  EXPECT_EQ(summary.files, 4u);
  EXPECT_EQ(summary.bytes, 19u);
  EXPECT_EQ(summary.train.documents, 3u);
  EXPECT_EQ(summary.train.tokens, 22u);
}

TEST(Prepare, TakesFilesInTheOrderNamedWhateverTheirExtension) {
  const TemporaryFolder folder;
  const auto b = folder.write("b.unknown", "bee"), a = folder.write("a", "ay\xff");
  prepare({.inputs = {b, a, b}, .output = folder / "out.tokens"});
  EXPECT_THAT(documents(folder / "out.tokens"), ElementsAre("bee", "ay\xff", "bee"));
}

TEST(Prepare, TakesTheFileNamesAskedForFromFolders) {
  const TemporaryFolder folder;
  folder.write("in/a.py", "python");
  folder.write("in/a.log", "log");
  folder.write("in/README", "read me");
  prepare(
      {.inputs = {folder / "in"}, .output = folder / "out.tokens", .patterns = {"*.log", "READ*"}});
  EXPECT_THAT(documents(folder / "out.tokens"), ElementsAre("read me", "log"));
}

TEST(Prepare, MakesADocumentOfEveryJsonLine) {
  const TemporaryFolder folder;
  const auto lines = folder.write(
      "a.jsonl", json_line("one\n\u00e9") + "\n  \n" + json_line("") + R"({"text": "no newline"})");
  prepare({.inputs = {lines}, .output = folder / "out.tokens"});
  EXPECT_THAT(documents(folder / "out.tokens"), ElementsAre("one\n\u00e9", "no newline"));
  folder.write("b.jsonl", "{\"body\": \"other field\"}\r\n");
  prepare({.inputs = {folder / "b.jsonl"}, .output = folder / "out.tokens", .field = "body"});
  EXPECT_THAT(documents(folder / "out.tokens"), ElementsAre("other field"));
}

TEST(Prepare, FindsEveryLineWhereverThePiecesAreCut) {
  const TemporaryFolder folder;
  std::string lines;
  std::vector<std::string> expected;
  for (std::size_t i = 0; lines.size() < (5u << 20); ++i) {
    // Now and then a line that is longer than a piece, and lines that end exactly where a piece
    // does.
    const std::size_t to_end = (1u << 20) - lines.size() % (1u << 20);
    const std::size_t length = i == 40 ? 2'500'000 : to_end > 20000 + 40 ? 20000 : to_end - 12;
    expected.push_back(std::string(length, static_cast<char>('a' + i % 26)));
    lines += R"({"text":")" + expected.back() + "\"}\n";
  }
  folder.write("a.jsonl", lines);
  prepare({.inputs = {folder / "a.jsonl"}, .output = folder / "out.tokens", .threads = 3});
  EXPECT_EQ(documents(folder / "out.tokens"), expected);
}

TEST(Prepare, NamesTheFirstBadLineByFileAndNumber) {
  const TemporaryFolder folder;
  std::string good;
  for (int i = 0; i < 30000; ++i) good += json_line("some text of a good line, over and over");
  const auto check_line = [&](const std::string& bad, const std::string& reason) {
    const auto path = folder.write("a.jsonl", good + bad + "\n" + good + "{worse\n");
    EXPECT_THAT(message_of<DataError>([&] {
                  prepare({.inputs = {path}, .output = folder / "out.tokens", .threads = 4});
                }),
                AllOf(HasSubstr(path.string() + ":30001: "), HasSubstr(reason)));
    EXPECT_EQ(folder.entries(), 1u) << "a partial output";
  };
  check_line("{\"text\": ", "bad JSON: column");
  check_line("[1]", "expected an object, found array");
  check_line("{\"txt\": \"a\"}", "expected the field 'text'");
  check_line("{\"text\": 5}", "found number");
  check_line("{\"text\": \"\xff\"}", "bad JSON: column");
}

TEST(Prepare, WritesTheSameBytesForAnyNumberOfThreads) {
  const TemporaryFolder folder;
  write_corpus(folder);
  std::vector<std::string> train, validation;
  for (const int threads : {1, 2, 3, 8, 0}) {
    prepare({.inputs = {folder / "corpus"},
             .output = folder / "train.tokens",
             .threads = threads,
             .validation_output = folder / "validation.tokens",
             .validation_fraction = 0.2});
    train.push_back(read_file(folder / "train.tokens"));
    validation.push_back(read_file(folder / "validation.tokens"));
  }
  for (std::size_t i = 1; i < train.size(); ++i) {
    EXPECT_TRUE(train[i] == train[0]) << i;
    EXPECT_TRUE(validation[i] == validation[0]) << i;
  }
}

TEST(Prepare, SplitsWithoutLosingOrRepeatingADocument) {
  const TemporaryFolder folder;
  write_corpus(folder);
  prepare({.inputs = {folder / "corpus"}, .output = folder / "all.tokens"});
  prepare({.inputs = {folder / "corpus"},
           .output = folder / "train.tokens",
           .validation_output = folder / "validation.tokens",
           .validation_fraction = 0.2});
  auto all = documents(folder / "all.tokens"), both = documents(folder / "train.tokens");
  const auto validation = documents(folder / "validation.tokens");
  const double part = static_cast<double>(validation.size()) / static_cast<double>(all.size());
  EXPECT_NEAR(part, 0.2, 0.05);
  both.insert(both.end(), validation.begin(), validation.end());
  std::sort(all.begin(), all.end());
  std::sort(both.begin(), both.end());
  EXPECT_EQ(all, both);
}

TEST(Prepare, SplitsAlikeWhereverTheFolderLies) {
  const TemporaryFolder folder;
  write_corpus(folder);
  std::filesystem::create_directories(folder / "elsewhere");
  std::filesystem::copy(folder / "corpus", folder / "elsewhere/moved",
                        std::filesystem::copy_options::recursive);
  // One file more changes nothing for the others.
  folder.write("elsewhere/moved/added.py", python_source(999, 3));
  const auto split = [&](const std::filesystem::path& input) {
    prepare({.inputs = {input},
             .output = folder / "train.tokens",
             .validation_output = folder / "validation.tokens",
             .validation_fraction = 0.3});
    auto texts = documents(folder / "validation.tokens");
    std::erase(texts, python_source(999, 3));
    return texts;
  };
  EXPECT_EQ(split(folder / "corpus"), split((folder / "elsewhere/moved/").string()));
}

TEST(Prepare, RefusesInputsWithoutDocuments) {
  const TemporaryFolder folder;
  const auto message = [&](std::vector<std::filesystem::path> inputs) {
    return message_of<DataError>(
        [&] { prepare({.inputs = std::move(inputs), .output = folder / "out.tokens"}); });
  };
  EXPECT_THAT(message({}), HasSubstr("found none named"));
  EXPECT_THAT(message({folder / "none"}), AllOf(HasSubstr("none"), HasSubstr("found nothing")));
  EXPECT_THAT(message({folder.path()}), HasSubstr("expected files named like *.txt"));
  EXPECT_THAT(message({folder.write("a.txt", "")}), HasSubstr("found none with text"));
  EXPECT_THAT(message({folder.write("a.jsonl", "\n\n")}), HasSubstr("found none with text"));
  EXPECT_EQ(folder.entries(), 2u);
}

TEST(Prepare, RefusesASplitThatLeavesASideEmptyOrMakesNoSense) {
  const TemporaryFolder folder;
  const auto input = folder.write("a.txt", "one document");
  const auto message = [&](const char* validation, double fraction) {
    return message_of<DataError>([&] {
      prepare({.inputs = {input},
               .output = folder / "out.tokens",
               .validation_output = validation[0] == '\0' ? "" : folder / validation,
               .validation_fraction = fraction});
    });
  };
  EXPECT_THAT(message("validation.tokens", 0.5), HasSubstr("expected documents for it"));
  EXPECT_THAT(message("validation.tokens", 1.5), HasSubstr("expected between 0 and 1, found 1.5"));
  EXPECT_THAT(message("validation.tokens", 0), HasSubstr("expected between 0 and 1"));
  EXPECT_THAT(message("./out.tokens", 0.5), HasSubstr("named for training and for validation"));
  EXPECT_THAT(message("", 0.5), HasSubstr("without a validation output"));
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(Prepare, LeavesTheOldFileAndNoPartialOneWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  write_corpus(folder);
  std::filesystem::create_directories(folder / "out");
  const auto output = folder.write("out/a.tokens", "what was there before");
  std::string message;
  {
    const FileSizeLimit limit(1'500'000);
    message = message_of<StorageError>(
        [&] { prepare({.inputs = {folder / "corpus"}, .output = output, .threads = 3}); });
  }
  EXPECT_THAT(message, AllOf(HasSubstr(output.string()), HasSubstr("File too large")));
  EXPECT_EQ(read_file(output), "what was there before");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "out"), {}), 1);
}

TEST(Prepare, NamesAnOutputItMayNotWrite) {
  const TemporaryFolder folder;
  const auto input = folder.write("a.txt", "text");
  EXPECT_THAT(message_of<StorageError>(
                  [&] { prepare({.inputs = {input}, .output = input / "out.tokens"}); }),
              AllOf(HasSubstr("a.txt/out.tokens"), HasSubstr("Not a directory")));
}

TEST(Prepare, RefusesToReplaceAnInput) {
  const TemporaryFolder folder;
  const auto input = folder.write("in/a.txt", "text");
  EXPECT_THAT(message_of<DataError>([&] {
                prepare({.inputs = {folder / "in"}, .output = folder / "in/../in/a.txt"});
              }),
              AllOf(HasSubstr("a.txt"), HasSubstr("as an input and as an output")));
  EXPECT_EQ(read_file(input), "text");
}

TEST(Prepare, TellsItsProgressUpToTheEnd) {
  const TemporaryFolder folder;
  write_corpus(folder);
  PrepareProgress last;
  const auto summary = prepare({.inputs = {folder / "corpus"}, .output = folder / "out.tokens"},
                               [&](const PrepareProgress& progress) {
                                 EXPECT_GE(progress.bytes, last.bytes);
                                 EXPECT_GE(progress.files, last.files);
                                 last = progress;
                               });
  EXPECT_EQ(last.files, 62u);
  EXPECT_EQ(last.total_files, 62u);
  EXPECT_EQ(last.bytes, last.total_bytes);
  EXPECT_EQ(last.bytes, summary.bytes);
}

}  // namespace
}  // namespace phalanx::data
