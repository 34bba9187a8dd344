#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

// The bytes of a token file, as docs/data_format.md gives them; for its reader and its writer.
namespace phalanx::data {

static_assert(std::endian::native == std::endian::little, "token files are mapped as they are");

// \x89 and \r\n: a transfer that treats the file as text shows at once (PNG's idea).
inline constexpr char kTokenFileMagic[8] = {'\x89', 'P', 'H', 'L', 'X', 'T', '\r', '\n'};
inline constexpr std::uint32_t kTokenFileVersion = 1;
inline constexpr std::uint64_t kChunkBytes = 1 << 20;
inline constexpr std::uint64_t kLargestChunkBytes = 1 << 30;  // that a reader takes

struct TokenFileHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t token_width;  // bytes
  std::uint64_t token_count;
  std::uint64_t document_count;
  std::uint64_t vocab_size;
  std::uint64_t chunk_bytes;
  char tokenizer_name[64];  // zeros behind it
  char tokenizer_digest[32];
  std::uint64_t documents_checksum;
  std::uint64_t chunks_checksum;
  char reserved[3928];  // zeros
  std::uint64_t header_checksum;
};
static_assert(offsetof(TokenFileHeader, token_count) == 16);
static_assert(offsetof(TokenFileHeader, tokenizer_name) == 48);
static_assert(offsetof(TokenFileHeader, documents_checksum) == 144);
static_assert(offsetof(TokenFileHeader, reserved) == 160);
static_assert(offsetof(TokenFileHeader, header_checksum) == 4088);
static_assert(sizeof(TokenFileHeader) == 4096, "tokens begin on a page");

// Where the sections of a file with this header begin, in bytes; a section ends where the next
// begins. Exact for token and document counts below 2^59.
struct TokenFileSections {
  explicit TokenFileSections(const TokenFileHeader& header)
      : documents(tokens + (header.token_count * header.token_width + 7) / 8 * 8),
        chunk_count((documents - tokens + header.chunk_bytes - 1) / header.chunk_bytes),
        chunks(documents + (header.document_count + 1) * 8),
        end(chunks + chunk_count * 8) {}

  std::uint64_t tokens = sizeof(TokenFileHeader);
  std::uint64_t documents;
  std::uint64_t chunk_count;
  std::uint64_t chunks;
  std::uint64_t end;
};

constexpr std::uint32_t token_width(std::uint64_t vocab_size) {
  return vocab_size <= 65536 ? 2 : 4;
}

}  // namespace phalanx::data
