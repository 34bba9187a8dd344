#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"

namespace phalanx {

// All throw StorageError that names the file and what the system said.

std::string read_file(const std::filesystem::path& path);
// Replaces `path` as a whole or not at all, durably: a temporary beside it, fsync, rename, fsync of
// the folder.
void write_file_atomically(const std::filesystem::path& path, std::string_view content,
                           unsigned mode = 0644);
// `path` and those that it is in, where they are missing.
void make_folders(const std::filesystem::path& path);
void sync_file(const std::filesystem::path& path);
void sync_folder(const std::filesystem::path& path);
void write_all(const FileDescriptor& file, std::string_view content, const std::string& name);

// A file that grows by whole records (a line with its newline, a frame): each append is one
// write(2), so that readers and a crash see whole records only; one that does not fit on the disk
// is taken back. For one writer.
class AppendFile {
 public:
  explicit AppendFile(const std::filesystem::path& path);
  void append(std::string_view record);

 private:
  FileDescriptor file_;
  std::string path_;
};

}  // namespace phalanx
