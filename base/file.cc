#include "base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace phalanx {
namespace {

FileDescriptor open_or_throw(const std::filesystem::path& path, int flags, unsigned mode = 0) {
  FileDescriptor file(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!file) throw storage_error(path.string() + ": open");
  return file;
}

void sync_or_throw(const FileDescriptor& file, const std::string& name) {
  if (::fsync(file.get()) != 0) throw storage_error(name + ": fsync");
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  const FileDescriptor file = open_or_throw(path, O_RDONLY);
  std::string content;
  char bytes[65536];
  while (true) {
    const ssize_t count = ::read(file.get(), bytes, sizeof bytes);
    if (count == 0) return content;
    if (count > 0) content.append(bytes, static_cast<std::size_t>(count));
    if (count < 0 && errno != EINTR) throw storage_error(path.string() + ": read");
  }
}

void write_all(const FileDescriptor& file, std::string_view content, const std::string& name) {
  while (!content.empty()) {
    const ssize_t count = ::write(file.get(), content.data(), content.size());
    if (count >= 0) content.remove_prefix(static_cast<std::size_t>(count));
    if (count < 0 && errno != EINTR) throw storage_error(name + ": write");
  }
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content,
                           unsigned mode) {
  const std::filesystem::path temporary = path.string() + ".partial." + std::to_string(::getpid());
  try {
    const FileDescriptor file = open_or_throw(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode);
    write_all(file, content, temporary.string());
    sync_or_throw(file, temporary.string());
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      throw storage_error(path.string() + ": rename");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path.has_parent_path() ? path.parent_path() : ".");
}

void make_folders(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw storage_error(path.string() + ": create folder", error.value());
}

void sync_file(const std::filesystem::path& path) {
  sync_or_throw(open_or_throw(path, O_RDONLY), path.string());
}

void sync_folder(const std::filesystem::path& path) {
  sync_or_throw(open_or_throw(path, O_RDONLY | O_DIRECTORY), path.string());
}

AppendFile::AppendFile(const std::filesystem::path& path)
    : file_(open_or_throw(path, O_WRONLY | O_CREAT | O_APPEND, 0644)), path_(path.string()) {}

void AppendFile::append(std::string_view record) {
  const off_t end = ::lseek(file_.get(), 0, SEEK_END);
  try {
    write_all(file_, record, path_);
  } catch (...) {
    // A full disk may have taken the first part of the record.
    [[maybe_unused]] const int ignored = ::ftruncate(file_.get(), end);
    throw;
  }
}

}  // namespace phalanx
