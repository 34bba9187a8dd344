#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace phalanx::data {

// A file that documents come from. A .jsonl file has a document per line, any other is one
// document.
struct SourceFile {
  std::filesystem::path path;
  std::string relative;  // to the input it was found under, with '/'; the file name when it is an
                         // input itself
  std::uint64_t bytes = 0;  // as it was listed
  bool has_json_lines() const;
};

// The names a folder is searched for when nothing else is said: text, JSON lines, and sources of
// common languages.
std::span<const std::string> default_patterns();

// The files of `inputs`, in their order; those of a folder are found at any depth, without
// following symbolic links, when their name fits one of `patterns` (fnmatch(3); empty: the
// default), in the order of their relative paths' bytes: the same everywhere. Throws DataError for
// an input that is missing, cannot be read or holds no such file.
std::vector<SourceFile> list_source_files(std::span<const std::filesystem::path> inputs,
                                          std::span<const std::string> patterns);

}  // namespace phalanx::data
