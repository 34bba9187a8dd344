#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/token_file_writer.h"
#include "data/tokenizer.h"

namespace phalanx::data {

// A tokenizer of another vocabulary, for files with four bytes a token: bytes, moved up by 70000.
class WideTokenizer final : public Tokenizer {
 public:
  std::string name() const override { return "wide"; }
  std::int64_t vocab_size() const override { return 80000; }
  std::string digest() const override { return std::string(32, 'a'); }
  Token end_of_document() const override { return 79999; }
  bool encodes_in_parts() const override { return true; }
  std::vector<Token> encode(std::string_view bytes) const override {
    std::vector<Token> tokens;
    for (const unsigned char c : bytes) tokens.push_back(70000u + c);
    return tokens;
  }
  std::string decode(std::span<const Token>) const override { return {}; }
};

inline void write_tokens(const std::filesystem::path& path, const Tokenizer& tokenizer,
                         const std::vector<std::string>& documents) {
  TokenFileWriter writer(path, tokenizer);
  for (const auto& document : documents) {
    writer.append(tokenizer.encode(document));
    writer.end_document();
  }
  writer.seal();
  writer.publish();
}

}  // namespace phalanx::data
