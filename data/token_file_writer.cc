#include "data/token_file_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "data/token_format.h"

namespace phalanx::data {
namespace {

std::string_view characters(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class Stored>
void narrow(std::span<const Token> tokens, std::byte* to) {
  auto* stored = reinterpret_cast<Stored*>(to);
  for (std::size_t i = 0; i < tokens.size(); ++i) stored[i] = static_cast<Stored>(tokens[i]);
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

// A file without a name, of which nothing is left whatever happens to this process; empty where the
// file system has none.
FileDescriptor create_without_name(const std::filesystem::path& path) {
  require_replaceable(path);
  return FileDescriptor(::open(folder_of(path).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644));
}

FileDescriptor create(const std::filesystem::path& temporary) {
  FileDescriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file)
    throw StorageError(describe_errno(temporary.string() + ": create"),
                       "the folder of the output must exist and be writable");
  return file;
}

}  // namespace

void require_replaceable(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status)) return;
  const bool folder = std::filesystem::is_directory(status);
  throw StorageError(
      fmt::format("{}: expected the name of a file to write, found a {}", path.string(),
                  folder ? "folder" : "device, pipe or socket"),
      folder ? "name a file inside it" : "name a file, or one that is not there yet");
}

TokenFileWriter::TokenFileWriter(const std::filesystem::path& path, const Tokenizer& tokenizer)
    : path_(path),
      temporary_(path.string() + ".partial." + std::to_string(::getpid())),
      tokenizer_name_(tokenizer.name()),
      tokenizer_digest_(tokenizer.digest()),
      vocab_size_(static_cast<std::uint64_t>(tokenizer.vocab_size())),
      end_of_document_(tokenizer.end_of_document()),
      width_(token_width(vocab_size_)),
      chunk_(kChunkBytes),
      file_(create_without_name(path_)),
      has_name_(!file_) {
  if (has_name_) file_ = create(temporary_);
  TokenFileHeader header;
  check(tokenizer_name_.size() <= sizeof header.tokenizer_name, "a tokenizer's name is too long");
  check(tokenizer_digest_.size() == sizeof header.tokenizer_digest, "a digest has 32 digits");
  // The header is written last: until then its place is a hole of zeros, which no reader takes for
  // a token file.
  check(::lseek(file_.get(), sizeof header, SEEK_SET) == sizeof header, "lseek in a new file");
}

TokenFileWriter::~TokenFileWriter() {
  if (has_name_) ::unlink(temporary_.c_str());
}

void TokenFileWriter::append(std::span<const Token> tokens) {
  token_count_ += tokens.size();
  while (!tokens.empty()) {
    const std::size_t count = std::min(tokens.size(), (kChunkBytes - chunk_used_) / width_);
    std::byte* to = chunk_.data() + chunk_used_;
    width_ == 2 ? narrow<std::uint16_t>(tokens.first(count), to)
                : narrow<std::uint32_t>(tokens.first(count), to);
    chunk_used_ += count * width_;
    tokens = tokens.subspan(count);
    if (chunk_used_ == kChunkBytes) flush_chunk();
  }
}

void TokenFileWriter::end_document() {
  append(std::span(&end_of_document_, 1));
  document_starts_.push_back(token_count_);
}

void TokenFileWriter::flush_chunk() {
  const auto bytes = std::span<const std::byte>(chunk_).first(chunk_used_);
  chunk_checksums_.push_back(checksum64(bytes));
  write_all(file_, characters(bytes), temporary_.string());
  chunk_used_ = 0;
}

void TokenFileWriter::seal() {
  check(document_starts_.back() == token_count_, "the last document was not ended");
  for (; chunk_used_ % 8 != 0; ++chunk_used_) chunk_[chunk_used_] = std::byte{0};
  if (chunk_used_ != 0) flush_chunk();
  write_all(file_, characters(std::as_bytes(std::span(document_starts_))), temporary_.string());
  write_all(file_, characters(std::as_bytes(std::span(chunk_checksums_))), temporary_.string());
  write_header();
  if (::fsync(file_.get()) != 0) throw storage_error(temporary_.string() + ": fsync");
}

void TokenFileWriter::write_header() {
  TokenFileHeader header{};
  std::memcpy(header.magic, kTokenFileMagic, sizeof header.magic);
  header.version = kTokenFileVersion;
  header.token_width = width_;
  header.token_count = token_count_;
  header.document_count = document_count();
  header.vocab_size = vocab_size_;
  header.chunk_bytes = kChunkBytes;
  tokenizer_name_.copy(header.tokenizer_name, sizeof header.tokenizer_name);
  tokenizer_digest_.copy(header.tokenizer_digest, sizeof header.tokenizer_digest);
  header.documents_checksum = checksum64(std::as_bytes(std::span(document_starts_)));
  header.chunks_checksum = checksum64(std::as_bytes(std::span(chunk_checksums_)));
  const auto bytes = std::as_bytes(std::span(&header, 1));
  header.header_checksum = checksum64(bytes.first(offsetof(TokenFileHeader, header_checksum)));
  if (::lseek(file_.get(), 0, SEEK_SET) != 0) throw storage_error(temporary_.string() + ": lseek");
  write_all(file_, characters(bytes), temporary_.string());
}

// A name can be given but not taken from another file: that is the rename's to do.
void TokenFileWriter::give_name() {
  ::unlink(temporary_.c_str());  // left by a process that had our number
  const std::string file = fmt::format("/proc/self/fd/{}", file_.get());
  if (::linkat(AT_FDCWD, file.c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW) != 0)
    throw storage_error(temporary_.string() + ": link");
  has_name_ = true;
}

void TokenFileWriter::publish() {
  if (!has_name_) give_name();
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    throw storage_error(path_.string() + ": rename");
  has_name_ = false;
  sync_folder(folder_of(path_));
}

}  // namespace phalanx::data
