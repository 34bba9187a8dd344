#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "data/tokenizer.h"

namespace phalanx::data {

// Publishing gives a new file the name `path`, whatever had it. Throws StorageError when that is
// there and no regular file, for a device or a pipe must not become one.
void require_replaceable(const std::filesystem::path& path);

// Writes a token file front to back into a temporary beside `path`, holding a chunk of tokens and
// eight bytes per document. What is not published leaves no file, where the file system can hold
// one without a name (O_TMPFILE) not even after a kill. Throws StorageError that names the file.
class TokenFileWriter {
 public:
  TokenFileWriter(const std::filesystem::path& path, const Tokenizer& tokenizer);
  TokenFileWriter(const TokenFileWriter&) = delete;
  ~TokenFileWriter();

  void append(std::span<const Token> tokens);
  // Closes a document: all tokens appended since the last one, and the end-of-document token.
  void end_document();

  // Writes what is missing and makes it durable. Nothing can be appended afterwards.
  void seal();
  // Gives the sealed file its name, durably, replacing what had it.
  void publish();

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t token_count() const { return token_count_; }
  std::uint64_t document_count() const { return document_starts_.size() - 1; }

 private:
  void flush_chunk();
  void write_header();
  void give_name();

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::string tokenizer_name_;
  std::string tokenizer_digest_;
  std::uint64_t vocab_size_;
  Token end_of_document_;
  std::uint32_t width_;
  std::uint64_t token_count_ = 0;
  std::vector<std::byte> chunk_;  // kChunkBytes, of which chunk_used_ are waiting to be written
  std::size_t chunk_used_ = 0;
  std::vector<std::uint64_t> document_starts_{0};
  std::vector<std::uint64_t> chunk_checksums_;
  FileDescriptor file_;
  bool has_name_;  // the file has that of temporary_
};

}  // namespace phalanx::data
