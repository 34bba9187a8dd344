#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phalanx::data {

using Token = std::uint32_t;

// Turns bytes into tokens in [0, vocab_size) and back. Immutable, so that threads may share one.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // What a job and a token file call it: at most 64 bytes.
  virtual std::string name() const = 0;
  virtual std::int64_t vocab_size() const = 0;
  // 32 hexadecimal digits. Equal digests mean: every token stands for the same bytes, and encode
  // gives the same tokens.
  virtual std::string digest() const = 0;
  // Stands behind every document, and for no bytes.
  virtual Token end_of_document() const = 0;
  // Whether encode(a + b) is encode(a) followed by encode(b) wherever the cut: then long documents
  // are encoded in parts.
  virtual bool encodes_in_parts() const = 0;

  // One document, or a part of one, without the end-of-document token. Any bytes will do.
  virtual std::vector<Token> encode(std::string_view bytes) const = 0;
  // The bytes of `tokens`. Throws DataError for a token outside the vocabulary.
  virtual std::string decode(std::span<const Token> tokens) const = 0;
};

// What tokenizers there are: "bytes" (256 byte values, and end-of-document as 256).
std::vector<std::string> tokenizer_names();

// The tokenizer a job calls `name`. Throws DataError for one that there is not.
std::unique_ptr<Tokenizer> make_tokenizer(std::string_view name);

}  // namespace phalanx::data
