#include "data/pieces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/error.h"
#include "tests/data/temporary_folder.h"

namespace phalanx::data {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string ranges(const std::vector<Piece>& pieces) {
  std::string text;
  for (const Piece& piece : pieces)
    text += piece.file->relative + ":" + std::to_string(piece.begin) + "-" +
            std::to_string(piece.end) + " ";
  return text;
}

TEST(Pieces, CutJsonLinesAlwaysAndTextsWhereTheyMayBe) {
  const std::vector<SourceFile> files{
      {"a.txt", "a.txt", 25}, {"e.txt", "e.txt", 0}, {"b.jsonl", "b.jsonl", 20}};
  EXPECT_EQ(ranges(cut_into_pieces(files, 10, true)),
            "a.txt:0-10 a.txt:10-20 a.txt:20-25 b.jsonl:0-10 b.jsonl:10-20 ");
  EXPECT_EQ(ranges(cut_into_pieces(files, 10, false)), "a.txt:0-25 b.jsonl:0-10 b.jsonl:10-20 ");
}

TEST(Pieces, HoldEveryLineOnceForEverySizeOfPiece) {
  const TemporaryFolder folder;
  std::string content;
  std::vector<std::string> expected;
  for (int i = 0; i < 12; ++i) {
    expected.push_back(std::string(static_cast<std::size_t>(i * 5 % 11 + 1), 'x'));
    content += "{\"text\":\"" + expected.back() + "\"}\n" + (i % 3 == 0 ? "\n" : "");
  }
  for (const bool last_newline : {true, false}) {
    if (!last_newline) content.pop_back();
    const SourceFile file{folder.write("a.jsonl", content), "a.jsonl", content.size()};
    for (std::uint64_t bytes = 1; bytes <= content.size() + 1; ++bytes) {
      std::vector<std::string> found;
      for (const Piece& piece : cut_into_pieces(std::span(&file, 1), bytes, true))
        visit_documents(piece, "text", [&](const DocumentPart& part) {
          found.emplace_back(part.text);
          ASSERT_EQ(content.substr(part.offset, 8), "{\"text\":");
        });
      EXPECT_EQ(found, expected) << bytes;
    }
  }
}

TEST(Pieces, SayWhereADocumentEnds) {
  const TemporaryFolder folder;
  const SourceFile file{folder.write("a.txt", "abcdefg"), "a.txt", 7};
  std::vector<std::string> found;
  for (const Piece& piece : cut_into_pieces(std::span(&file, 1), 3, true))
    visit_documents(piece, "text", [&](const DocumentPart& part) {
      found.push_back(std::string(part.text) + (part.ends_document ? "." : ""));
      EXPECT_EQ(part.offset, 0u);
    });
  EXPECT_THAT(found, ElementsAre("abc", "def", "g."));
}

TEST(Pieces, ReportAFileThatShrankOrWentSinceItWasListed) {
  const TemporaryFolder folder;
  for (const std::string name : {"a.txt", "a.jsonl"}) {
    const SourceFile file{folder.write(name, "{}"), name, 100};
    const auto message = [&] {
      return message_of<DataError>([&] {
        visit_documents({&file, 0, 100}, "text", [](const DocumentPart&) {});
      });
    };
    EXPECT_THAT(message(), AllOf(HasSubstr(name), HasSubstr("expected 100 bytes, found 2")));
    std::filesystem::remove(file.path);
    EXPECT_THAT(message(), AllOf(HasSubstr(name), HasSubstr("No such file")));
  }
}

}  // namespace
}  // namespace phalanx::data
