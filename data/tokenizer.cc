#include "data/tokenizer.h"

#include <fmt/format.h>

#include "base/checksum.h"
#include "base/nearest_name.h"
#include "data/error.h"

namespace phalanx::data {
namespace {

constexpr Token kByteValues = 256;

class ByteTokenizer final : public Tokenizer {
 public:
  std::string name() const override { return "bytes"; }
  std::int64_t vocab_size() const override { return kByteValues + 1; }
  std::string digest() const override { return checksum("phalanx tokenizer bytes 1"); }
  Token end_of_document() const override { return kByteValues; }
  bool encodes_in_parts() const override { return true; }

  std::vector<Token> encode(std::string_view bytes) const override {
    std::vector<Token> tokens(bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) tokens[i] = static_cast<unsigned char>(bytes[i]);
    return tokens;
  }

  std::string decode(std::span<const Token> tokens) const override {
    std::string bytes;
    bytes.reserve(tokens.size());
    for (const Token token : tokens) {
      if (token > kByteValues)
        throw DataError(
            fmt::format("tokenizer bytes: expected tokens up to {}, found {}", kByteValues, token),
            "decode with the tokenizer that made the tokens");
      if (token != kByteValues) bytes += static_cast<char>(token);
    }
    return bytes;
  }
};

}  // namespace

std::vector<std::string> tokenizer_names() { return {"bytes"}; }

std::unique_ptr<Tokenizer> make_tokenizer(std::string_view name) {
  if (name == "bytes") return std::make_unique<ByteTokenizer>();
  const auto names = tokenizer_names();
  const std::string near = nearest_name(name, names);
  throw DataError(fmt::format("tokenizer: expected one of {}, found '{}'", names[0], name),
                  near.empty() ? "" : fmt::format("did you mean '{}'?", near));
}

}  // namespace phalanx::data
