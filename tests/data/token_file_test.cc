#include "data/token_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "data/token_file_writer.h"
#include "tests/data/temporary_folder.h"
#include "tests/data/wide_tokenizer.h"

namespace phalanx::data {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

void write_bytes(const std::filesystem::path& path, const std::vector<std::string>& documents) {
  write_tokens(path, *make_tokenizer("bytes"), documents);
}

// Everything that a reader can do with a file.
void use_all(const std::filesystem::path& path) {
  const TokenFile file(path);
  file.require_tokenizer(*make_tokenizer("bytes"));
  file.document_starts();
  file.tokens(0, file.token_count());
  file.verify();
}

// Sets the header's checksum right again, as a foreign writer would.
std::string with_header_checksum(std::string content) {
  const std::uint64_t checksum = checksum64(std::string_view(content).substr(0, 4088));
  std::memcpy(content.data() + 4088, &checksum, 8);
  return content;
}

TEST(TokenFile, GivesBackDocumentsAndTokensAsWritten) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.tokens", {"hello", "", "\xff!"});
  const TokenFile file(folder / "a.tokens");
  EXPECT_EQ(file.token_count(), 10u);
  EXPECT_EQ(file.document_count(), 3u);
  EXPECT_EQ(file.vocab_size(), 257);
  EXPECT_EQ(file.token_width(), 2u);
  EXPECT_EQ(file.tokenizer_name(), "bytes");
  EXPECT_THAT(file.document_starts(), ElementsAre(0, 6, 7, 10));
  EXPECT_THAT(file.tokens(3, 5), ElementsAre('l', 'o', 256, 256, 0xff));
  EXPECT_THAT(file.tokens(10, 0), ElementsAre());
  file.verify(3);
}

TEST(TokenFile, TakesFourBytesForAVocabularyAbove65536) {
  const TemporaryFolder folder;
  write_tokens(folder / "a.tokens", WideTokenizer(), {"ab", "c"});
  const TokenFile file(folder / "a.tokens");
  EXPECT_EQ(file.token_width(), 4u);
  EXPECT_THAT(file.tokens(0, 5), ElementsAre(70097, 70098, 79999, 70099, 79999));
  file.verify();
}

TEST(TokenFile, HoldsMoreThanAChunk) {
  const TemporaryFolder folder;
  const std::string text(kChunkBytes * 3 / 2 + 1, 'x');
  write_bytes(folder / "a.tokens", {text, "end"});
  const TokenFile file(folder / "a.tokens");
  EXPECT_EQ(file.chunk_count(), 4u);
  EXPECT_THAT(file.tokens(text.size(), 5), ElementsAre(256, 'e', 'n', 'd', 256));
  for (const int threads : {1, 2, 3, 9}) file.verify(threads);
}

TEST(TokenFile, NamesTheDamagedChunkAndLeavesTheOthersUsable) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.tokens", {std::string(2'000'000, 'x')});
  std::string content = read_file(folder / "a.tokens");
  content[4096 + kChunkBytes + 5000] ^= 2;
  const auto path = folder.write("a.tokens", content);
  const TokenFile file(path);
  file.verify_chunks(0, 1);
  file.verify_chunks(2, file.chunk_count() - 2);
  EXPECT_THAT(message_of<DataError>([&] { file.verify_chunks(1, 1); }),
              AllOf(HasSubstr(path.string()), HasSubstr("chunk 1 of 4"), HasSubstr("expected"),
                    HasSubstr("found"), HasSubstr("phalanx data prepare")));
  EXPECT_THROW(file.verify(4), DataError);
}

TEST(TokenFile, ReportsATruncationAtEveryLength) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.tokens", {python_source(1, 2), python_source(2, 3)});
  const std::string content = read_file(folder / "a.tokens");
  use_all(folder / "a.tokens");
  for (std::size_t length = 0; length < content.size(); ++length) {
    const auto path = folder.write("cut.tokens", content.substr(0, length));
    EXPECT_THAT(message_of<DataError>([&] { TokenFile file(path); }),
                AllOf(HasSubstr(path.string()), HasSubstr("expected"), HasSubstr("found")))
        << length;
  }
}

TEST(TokenFile, ReportsWhatWasAddedBehindItsEnd) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.tokens", {"text"});
  const auto path = folder.write("long.tokens", read_file(folder / "a.tokens") + "!");
  EXPECT_THAT(message_of<DataError>([&] { TokenFile file(path); }), HasSubstr("too long"));
}

TEST(TokenFile, ReportsAFlippedBitInEveryByteOfASmallFile) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.tokens", {python_source(1, 2), "odd"});
  const std::string content = read_file(folder / "a.tokens");
  for (std::size_t i = 0; i < content.size(); ++i) {
    std::string damaged = content;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
    const auto path = folder.write("damaged.tokens", damaged);
    EXPECT_THAT(message_of<DataError>([&] { use_all(path); }), HasSubstr(path.string())) << i;
  }
}

TEST(TokenFile, NeverGivesATokenOutsideTheVocabulary) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.tokens", {"abcdef"});
  std::string content = read_file(folder / "a.tokens");
  content[4096 + 2 * 3 + 1] = '\x40';  // the high byte of token 3
  const TokenFile file(folder.write("a.tokens", content));
  EXPECT_THAT(file.tokens(0, 3), ElementsAre('a', 'b', 'c'));
  EXPECT_THAT(message_of<DataError>([&] { file.tokens(0, 4); }), HasSubstr("tokens below 257"));
  std::vector<std::int64_t> buffer(6);
  EXPECT_THROW(file.copy_tokens(1, buffer), DataError);
}

TEST(TokenFile, RefusesNumbersThatCannotBeEvenWithAGoodChecksum) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.tokens", {"abcdef"});
  const std::string content = read_file(folder / "a.tokens");
  for (const std::size_t offset : {12, 16, 24, 32, 40})
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0},
                                      std::uint64_t{1} << 63, std::uint64_t{1} << 58}) {
      std::string changed = content;
      std::memcpy(changed.data() + offset, &value, offset == 12 ? 4 : 8);
      if (changed == content) continue;
      const auto path = folder.write("changed.tokens", with_header_checksum(changed));
      EXPECT_NE(message_of<DataError>([&] { use_all(path); }), "") << offset << " " << value;
    }
}

TEST(TokenFile, SaysWhatAMissingEmptyForeignOrNewerFileIs) {
  const TemporaryFolder folder;
  const auto message = [](const std::filesystem::path& path) {
    return message_of<DataError>([&] { TokenFile file(path); });
  };
  EXPECT_THAT(
      message(folder / "none.tokens"),
      AllOf(HasSubstr("none.tokens"), HasSubstr("No such file"), HasSubstr("data prepare")));
  EXPECT_THAT(message(folder.path()), HasSubstr("found a folder"));
  EXPECT_THAT(message(folder.write("empty", "")), HasSubstr("found 0 bytes"));
  EXPECT_THAT(message(folder.write("text", python_source(1, 100))), HasSubstr("something else"));
  write_bytes(folder / "a.tokens", {"text"});
  std::string content = read_file(folder / "a.tokens");
  content[8] = 2;
  EXPECT_THAT(message(folder.write("newer", content)),
              AllOf(HasSubstr("expected token file version 1, found 2"), HasSubstr("newer")));
}

TEST(TokenFile, RefusesTheTokensOfAnotherTokenizer) {
  const TemporaryFolder folder;
  write_tokens(folder / "a.tokens", WideTokenizer(), {"ab"});
  const TokenFile file(folder / "a.tokens");
  file.require_tokenizer(WideTokenizer());
  EXPECT_THAT(message_of<DataError>([&] { file.require_tokenizer(*make_tokenizer("bytes")); }),
              AllOf(HasSubstr("a.tokens"), HasSubstr("expected tokens of the tokenizer bytes"),
                    HasSubstr("found those of wide"), HasSubstr("data.tokenizer")));
}

TEST(TokenFileWriter, LeavesNothingBehindWhenItIsNotPublished) {
  const TemporaryFolder folder;
  {
    TokenFileWriter writer(folder / "a.tokens", *make_tokenizer("bytes"));
    writer.append(std::vector<Token>(3'000'000, 65));
  }
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(TokenFileWriter, LeavesNothingBehindWhenItIsKilledWhereFilesNeedNoName) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    TokenFileWriter writer(folder / "a.tokens", *make_tokenizer("bytes"));
    writer.append(std::vector<Token>(3'000'000, 7));
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  const std::size_t left = folder.entries();
  const int nameless = ::open(folder.path().c_str(), O_TMPFILE | O_WRONLY, 0600);
  EXPECT_EQ(left, nameless >= 0 ? 0u : 1u);
  if (nameless >= 0) ::close(nameless);
}

TEST(TokenFileWriter, ReplacesWhatHadItsName) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.tokens", {"before"});
  write_bytes(folder / "a.tokens", {"after it"});
  EXPECT_EQ(TokenFile(folder / "a.tokens").token_count(), 9u);
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(TokenFileWriter, NamesTheFileItCannotCreate) {
  const TemporaryFolder folder;
  const auto message = [&](const std::filesystem::path& path) {
    return message_of<StorageError>(
        [&] { TokenFileWriter writer(path, *make_tokenizer("bytes")); });
  };
  EXPECT_THAT(message(folder / "none/a.tokens"),
              AllOf(HasSubstr("none/a.tokens"), HasSubstr("No such file"), HasSubstr("folder")));
  EXPECT_THAT(message(folder.path()), HasSubstr("found a folder"));
  EXPECT_EQ(folder.entries(), 0u);
}

}  // namespace
}  // namespace phalanx::data
