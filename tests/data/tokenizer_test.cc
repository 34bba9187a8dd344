#include "data/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/error.h"
#include "tests/data/temporary_folder.h"

namespace phalanx::data {
namespace {

using testing::HasSubstr;

TEST(ByteTokenizer, GivesBackEveryByteAlsoInvalidUtf8) {
  const auto tokenizer = make_tokenizer("bytes");
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  bytes += "\xff\xfe\xc3(";
  const auto tokens = tokenizer->encode(bytes);
  EXPECT_EQ(tokens.size(), bytes.size());
  EXPECT_EQ(tokens[200], 200u);
  EXPECT_EQ(tokenizer->decode(tokens), bytes);
}

TEST(ByteTokenizer, HasOneTokenMoreThanThereAreBytes) {
  const auto tokenizer = make_tokenizer("bytes");
  EXPECT_EQ(tokenizer->vocab_size(), 257);
  EXPECT_EQ(tokenizer->end_of_document(), 256u);
  EXPECT_EQ(tokenizer->decode(std::vector<Token>{'a', 256, 'b'}), "ab");
  EXPECT_THROW(tokenizer->decode(std::vector<Token>{257}), DataError);
}

// Token files name it: a change would make every prepared file useless.
TEST(ByteTokenizer, KeepsItsDigest) {
  EXPECT_EQ(make_tokenizer("bytes")->digest(), "c6ba5111f85126d805fd99507f223de3");
}

TEST(MakeTokenizer, NamesTheNearestForAnUnknownOne) {
  const std::string message = message_of<DataError>([] { make_tokenizer("byte"); });
  EXPECT_THAT(message, HasSubstr("found 'byte'"));
  EXPECT_THAT(message, HasSubstr("did you mean 'bytes'?"));
}

}  // namespace
}  // namespace phalanx::data
