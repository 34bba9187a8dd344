#include "data/token_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <string_view>
#include <thread>

#include "base/check.h"
#include "base/checksum.h"
#include "data/error.h"

namespace phalanx::data {
namespace {

constexpr const char* kMakeAgain =
    "copy the file again, or make it again with `phalanx data prepare`";
constexpr const char* kMakeOrName =
    "correct the path, or make the file with `phalanx data prepare INPUT... --output FILE`";

FileMapping map_file(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw DataError(describe_errno(path + ": expected a token file; open"), kMakeOrName);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw DataError(describe_errno(path + ": fstat"));
  if (!S_ISREG(status.st_mode))
    throw DataError(path + ": expected a token file, found a folder or device", kMakeOrName);
  return FileMapping(file);
}

std::string_view until_zero(const char* text, std::size_t limit) {
  return {text, ::strnlen(text, limit)};
}

std::span<const std::byte> slice(std::span<const std::byte> bytes, std::uint64_t begin,
                                 std::uint64_t end) {
  return bytes.subspan(begin, end - begin);
}

template <class Stored, class Out>
std::uint64_t copy_and_find_largest(const std::byte* from, std::span<Out> out) {
  const auto* stored = reinterpret_cast<const Stored*>(from);
  Stored largest = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = stored[i];
    largest = std::max(largest, stored[i]);
  }
  return largest;
}

}  // namespace

TokenFile::TokenFile(const std::filesystem::path& path)
    : path_(path.string()), mapping_(map_file(path_)) {
  check_header();
  check_geometry();
}

DataError TokenFile::damaged(const std::string& what) const {
  return DataError(path_ + ": damaged: " + what, kMakeAgain);
}

void TokenFile::check_header() const {
  const auto bytes = mapping_.bytes();
  if (bytes.empty()) throw DataError(path_ + ": expected a token file, found 0 bytes", kMakeAgain);
  const std::size_t magic_bytes = std::min(bytes.size(), sizeof kTokenFileMagic);
  if (std::memcmp(bytes.data(), kTokenFileMagic, magic_bytes) != 0)
    throw DataError(
        path_ + ": expected a token file, found something else (its first bytes differ)",
        kMakeOrName);
  if (bytes.size() < sizeof(TokenFileHeader))
    throw damaged(fmt::format("cut short: expected a header of {} bytes, found {}",
                              sizeof(TokenFileHeader), bytes.size()));
  if (header().version != kTokenFileVersion)
    throw DataError(fmt::format("{}: expected token file version {}, found {}", path_,
                                kTokenFileVersion, header().version),
                    "use the version of phalanx that made the file, or make it again with "
                    "`phalanx data prepare`");
  const std::uint64_t found =
      checksum64(slice(bytes, 0, offsetof(TokenFileHeader, header_checksum)));
  if (found != header().header_checksum)
    throw damaged(fmt::format("header: expected checksum {:016x}, found {:016x}",
                              header().header_checksum, found));
}

void TokenFile::check_geometry() const {
  constexpr std::uint64_t kMost = std::uint64_t{1}
                                  << 59;  // sizes computed from less cannot overflow
  const TokenFileHeader& h = header();
  const bool sane = h.vocab_size >= 1 && h.vocab_size <= (std::uint64_t{1} << 32) &&
                    h.token_width == data::token_width(h.vocab_size) && h.token_count < kMost &&
                    h.document_count < kMost && h.chunk_bytes > 0 && h.chunk_bytes % 8 == 0 &&
                    h.chunk_bytes <= kLargestChunkBytes;
  if (!sane)
    throw damaged(
        fmt::format("header: found the impossible: {} tokens of {} bytes, {} documents, "
                    "vocabulary {}, chunks of {} bytes",
                    h.token_count, h.token_width, h.document_count, h.vocab_size, h.chunk_bytes));
  const TokenFileSections sections(h);
  if (sections.end != file_bytes())
    throw damaged(fmt::format("{}: expected {} bytes ({} tokens, {} documents), found {}",
                              file_bytes() < sections.end ? "cut short" : "too long", sections.end,
                              h.token_count, h.document_count, file_bytes()));
}

std::string TokenFile::tokenizer_name() const {
  return std::string(until_zero(header().tokenizer_name, sizeof header().tokenizer_name));
}

std::string TokenFile::tokenizer_digest() const {
  return std::string(until_zero(header().tokenizer_digest, sizeof header().tokenizer_digest));
}

void TokenFile::require_tokenizer(const Tokenizer& tokenizer) const {
  if (tokenizer.digest() == tokenizer_digest()) return;
  throw DataError(fmt::format("{}: expected tokens of the tokenizer {} (digest {}), found those of "
                              "{} (digest {})",
                              path_, tokenizer.name(), tokenizer.digest(), tokenizer_name(),
                              tokenizer_digest()),
                  fmt::format("set data.tokenizer to {}, or make the file again with `phalanx data "
                              "prepare --tokenizer {}`",
                              tokenizer_name(), tokenizer.name()));
}

std::span<const std::uint64_t> TokenFile::table(std::uint64_t begin, std::uint64_t end,
                                                std::uint64_t expected_checksum,
                                                const char* name) const {
  const auto bytes = slice(mapping_.bytes(), begin, end);
  if (const std::uint64_t found = checksum64(bytes); found != expected_checksum)
    throw damaged(fmt::format("{} at byte {}: expected checksum {:016x}, found {:016x}", name,
                              begin, expected_checksum, found));
  return {reinterpret_cast<const std::uint64_t*>(bytes.data()), bytes.size() / 8};
}

std::span<const std::uint64_t> TokenFile::document_starts() const {
  const TokenFileSections at(header());
  const auto starts =
      table(at.documents, at.chunks, header().documents_checksum, "table of documents");
  if (starts.front() != 0 || starts.back() != token_count() ||
      !std::is_sorted(starts.begin(), starts.end()))
    throw damaged(
        fmt::format("table of documents: expected rising numbers from 0 to {}, found {} "
                    "to {}",
                    token_count(), starts.front(), starts.back()));
  return starts;
}

std::span<const std::uint64_t> TokenFile::chunk_checksums() const {
  const TokenFileSections at(header());
  return table(at.chunks, at.end, header().chunks_checksum, "table of chunk checksums");
}

template <class Out>
void TokenFile::read_tokens(std::uint64_t begin, std::span<Out> out) const {
  check(begin <= token_count() && out.size() <= token_count() - begin, "tokens beyond the file");
  const std::byte* from =
      mapping_.bytes().data() + TokenFileSections(header()).tokens + begin * token_width();
  const std::uint64_t largest = token_width() == 2
                                    ? copy_and_find_largest<std::uint16_t>(from, out)
                                    : copy_and_find_largest<std::uint32_t>(from, out);
  // Such a token would be read beyond the end of an embedding.
  if (largest >= header().vocab_size)
    throw damaged(fmt::format("tokens {} to {}: expected tokens below {}, found {}", begin,
                              begin + out.size(), header().vocab_size, largest));
}

std::vector<Token> TokenFile::tokens(std::uint64_t begin, std::uint64_t count) const {
  std::vector<Token> tokens(count);
  read_tokens(begin, std::span(tokens));
  return tokens;
}

void TokenFile::copy_tokens(std::uint64_t begin, std::span<std::int64_t> tokens) const {
  read_tokens(begin, tokens);
}

void TokenFile::verify_chunks(std::uint64_t first, std::uint64_t count) const {
  const auto checksums = chunk_checksums();
  check(first <= checksums.size() && count <= checksums.size() - first, "chunks beyond the file");
  const TokenFileSections at(header());
  for (std::uint64_t chunk = first; chunk < first + count; ++chunk) {
    const std::uint64_t begin = at.tokens + chunk * header().chunk_bytes;
    const std::uint64_t end = std::min(begin + header().chunk_bytes, at.documents);
    const std::uint64_t found = checksum64(slice(mapping_.bytes(), begin, end));
    if (found != checksums[chunk])
      throw damaged(
          fmt::format("tokens in bytes {} to {} (chunk {} of {}): expected checksum "
                      "{:016x}, found {:016x}",
                      begin, end, chunk, checksums.size(), checksums[chunk], found));
  }
}

void TokenFile::verify(int threads) const {
  document_starts();
  chunk_checksums();
  const auto parts = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::max(threads, 1)), 1,
                                               std::max<std::uint64_t>(chunk_count(), 1));
  std::vector<std::exception_ptr> errors(parts);
  {
    std::vector<std::jthread> running;
    for (std::uint64_t part = 0; part < parts; ++part)
      running.emplace_back([this, part, parts, &errors] {
        const std::uint64_t begin = chunk_count() * part / parts;
        const std::uint64_t end = chunk_count() * (part + 1) / parts;
        try {
          verify_chunks(begin, end - begin);
        } catch (...) {
          errors[part] = std::current_exception();
        }
      });
  }
  for (const auto& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace phalanx::data
