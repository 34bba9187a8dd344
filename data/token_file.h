#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_mapping.h"
#include "data/error.h"
#include "data/token_format.h"
#include "data/tokenizer.h"

namespace phalanx::data {

// A token file (docs/data_format.md), mapped read-only: documents' tokens one behind the other.
// Opening reads the header only, whatever the size; a table is checked when it is asked for, the
// tokens when `verify` is called. Threads may share one. All failures are DataError: the file, what
// was expected and found, what to do.
class TokenFile {
 public:
  // Throws when the file is missing, empty, foreign, of a newer version, damaged in the header, or
  // not of the size that the header promises.
  explicit TokenFile(const std::filesystem::path& path);

  const std::string& path() const { return path_; }
  std::uint64_t token_count() const { return header().token_count; }
  std::uint64_t document_count() const { return header().document_count; }
  std::int64_t vocab_size() const { return static_cast<std::int64_t>(header().vocab_size); }
  std::uint32_t token_width() const { return header().token_width; }  // bytes
  std::uint64_t file_bytes() const { return mapping_.bytes().size(); }
  std::string tokenizer_name() const;
  std::string tokenizer_digest() const;

  // Throws when another tokenizer made this file.
  void require_tokenizer(const Tokenizer& tokenizer) const;

  // Document d is the tokens [starts[d], starts[d + 1]), its end-of-document token included:
  // document_count() + 1 numbers, the last is token_count(). Lives as long as this file. Every call
  // checks the table.
  std::span<const std::uint64_t> document_starts() const;

  // Tokens [begin, begin + count), which must lie inside. Throws when one lies outside the
  // vocabulary.
  std::vector<Token> tokens(std::uint64_t begin, std::uint64_t count) const;
  // The same into `tokens`, as many as it holds.
  void copy_tokens(std::uint64_t begin, std::span<std::int64_t> tokens) const;

  // The section of tokens has a checksum for each chunk, so that several can verify a share each.
  std::uint64_t chunk_count() const { return TokenFileSections(header()).chunk_count; }
  void verify_chunks(std::uint64_t first, std::uint64_t count) const;
  // Everything, on `threads` threads: both tables and all chunks.
  void verify(int threads = 1) const;

 private:
  const TokenFileHeader& header() const {
    return *reinterpret_cast<const TokenFileHeader*>(mapping_.bytes().data());
  }
  void check_header() const;
  void check_geometry() const;
  std::span<const std::uint64_t> table(std::uint64_t begin, std::uint64_t end,
                                       std::uint64_t expected_checksum, const char* name) const;
  std::span<const std::uint64_t> chunk_checksums() const;
  DataError damaged(const std::string& what) const;
  template <class Out>
  void read_tokens(std::uint64_t begin, std::span<Out> out) const;

  std::string path_;
  FileMapping mapping_;
};

}  // namespace phalanx::data
