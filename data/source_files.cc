#include "data/source_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <iterator>

#include "data/error.h"

namespace phalanx::data {
namespace {

namespace fs = std::filesystem;

bool fits(const std::string& name, std::span<const std::string> patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

std::vector<SourceFile> list_folder(const fs::path& folder, std::span<const std::string> patterns) {
  std::vector<SourceFile> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_symlink() || !entry.is_regular_file()) continue;
    if (!fits(entry.path().filename().string(), patterns)) continue;
    files.push_back({entry.path(), entry.path().lexically_relative(folder).generic_string(),
                     entry.file_size()});
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.relative < b.relative; });
  if (files.empty())
    throw DataError(fmt::format("{}: expected files named like {}, found none", folder.string(),
                                fmt::join(patterns, " ")),
                    "name another folder, or the files, or other patterns");
  return files;
}

std::vector<SourceFile> list_input(const fs::path& input, std::span<const std::string> patterns) {
  const fs::file_status status = fs::status(input);
  if (fs::is_directory(status)) return list_folder(input, patterns);
  if (fs::is_regular_file(status))
    return {{input, input.filename().generic_string(), fs::file_size(input)}};
  throw DataError(fmt::format("{}: expected a file or folder, found {}", input.string(),
                              fs::exists(status) ? "something else" : "nothing"),
                  "correct the path of the input");
}

}  // namespace

bool SourceFile::has_json_lines() const { return path.extension() == ".jsonl"; }

std::span<const std::string> default_patterns() {
  static const std::vector<std::string> patterns{
      "*.txt",  "*.md",  "*.rst",   "*.tex",   "*.jsonl", "*.py",   "*.pyi", "*.c",   "*.cc",
      "*.cpp",  "*.cxx", "*.cu",    "*.cuh",   "*.h",     "*.hh",   "*.hpp", "*.hxx", "*.inl",
      "*.java", "*.kt",  "*.go",    "*.rs",    "*.js",    "*.ts",   "*.tsx", "*.jsx", "*.cs",
      "*.rb",   "*.php", "*.pl",    "*.lua",   "*.r",     "*.jl",   "*.m",   "*.f90", "*.scala",
      "*.hs",   "*.ml",  "*.swift", "*.sh",    "*.sql",   "*.html", "*.css", "*.xml", "*.json",
      "*.yaml", "*.yml", "*.toml",  "*.cmake", "*.proto"};
  return patterns;
}

std::vector<SourceFile> list_source_files(std::span<const fs::path> inputs,
                                          std::span<const std::string> patterns) {
  if (inputs.empty()) throw DataError("expected files or folders to prepare, found none named");
  if (patterns.empty()) patterns = default_patterns();
  std::vector<SourceFile> files;
  for (const fs::path& input : inputs) try {
      std::ranges::move(list_input(input, patterns), std::back_inserter(files));
    } catch (const fs::filesystem_error& error) {
      const fs::path& where = error.path1().empty() ? input : error.path1();
      throw DataError(fmt::format("{}: {}", where.string(), error.code().message()),
                      "inputs must be readable");
    }
  return files;
}

}  // namespace phalanx::data
