#include "config/job_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/nearest_name.h"
#include "config/yaml_document.h"

namespace phalanx::config {
namespace {

namespace fs = std::filesystem;

// A job takes some kilobytes; what is larger is something else, and would be slow to take apart.
constexpr std::size_t kLargestFile = 1 << 20;

std::string help_for_missing(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code error;
  const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error))
    if (const auto extension = entry->path().extension();
        extension == ".yaml" || extension == ".yml")
      names.push_back(entry->path().filename());
  const auto nearest = nearest_name(path.filename().string(), names);
  if (!nearest.empty())
    return fmt::format("did you mean `{}`?", (path.parent_path() / nearest).string());
  return "a relative path starts at the current folder, " + fs::current_path(error).string();
}

// The bytes from `begin` on that belong to one scalar, or 1.
std::size_t length_of_value(const std::string& line, std::size_t begin) {
  const char first = line[begin];
  if (first == '"' || first == '\'') {
    const auto end = line.find(first, begin + 1);
    return end == std::string::npos ? line.size() - begin : end + 1 - begin;
  }
  auto end = begin;
  while (end < line.size() && line.find_first_of(",[]{}#", end) != end &&
         line.compare(end, 2, ": ") != 0)
    ++end;
  if (end < line.size() && line[end] == '#' && end > begin && line[end - 1] != ' ')
    end = line.size();
  while (end > begin && (line[end - 1] == ' ' || line[end - 1] == ':')) --end;
  return std::max<std::size_t>(1, end - begin);
}

bool is_continuation(char c) { return (c & 0xc0) == 0x80; }

// Spaces as wide as `text`: tabs stay, a character of several bytes counts once.
std::string blank(std::string_view text) {
  std::string spaces;
  for (const char c : text)
    if (!is_continuation(c)) spaces += c == '\t' ? '\t' : ' ';
  return spaces;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

// The text of the file; or report(what was found instead, help), which returns nothing.
template <class Report>
std::optional<std::string> read_text(const std::string& path, const Report& report) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return report("nothing", help_for_missing(path));
  if (fs::is_directory(status))
    return report("a folder",
                  "name a file in it, such as " + (fs::path(path) / "job.yaml").string());
  if (error) return report("one that cannot be read: " + error.message(), "");
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    return report("one that cannot be read: " + describe_errno("open"), "check its permissions");
  std::string text(kLargestFile + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (stream.bad()) return report("one that cannot be read: " + describe_errno("read"), "");
  if (text.size() > kLargestFile)
    return report("a file of more than 1 MiB", "a job takes some kilobytes: is this another file?");
  return text;
}

}  // namespace

JobFile::JobFile(const std::string& path, Findings& findings) : path_(path) {
  text_ = read_text(path, [&](const std::string& found, const std::string& help) {
    findings.report({path}, "", "expected a job file, found " + found, help);
    return std::nullopt;
  });
  if (text_) lines_ = lines_of(*text_);
}

JobFile::JobFile(std::string name, std::string text)
    : path_(std::move(name)), text_(std::move(text)), lines_(lines_of(*text_)) {}

fs::path JobFile::folder() const { return fs::absolute(path_).parent_path(); }

std::optional<YAML::Node> JobFile::parse(Findings& findings) const {
  if (!text_) return std::nullopt;
  const auto place = [&](const YAML::Mark& mark) {
    return mark.is_null() ? Place{path_} : Place{path_, mark.line + 1, mark.column + 1};
  };
  try {
    const auto document = parse_document(*text_);
    if (!document.IsNull()) return document;
    findings.report({path_, 1, 1}, "", "expected a job, found an empty file",
                    "a job needs at least name, model, data, train and output");
  } catch (const YAML::Exception& error) {
    findings.report(
        place(error.mark), "", "expected one YAML document, found " + error.msg,
        "look for a bracket, quote or colon that is missing here or above, and indent with spaces");
  }
  return std::nullopt;
}

std::string JobFile::excerpt(const Place& place) const {
  constexpr std::size_t kWidestLine = 200;
  if (place.line < 1 || place.column < 1 || static_cast<std::size_t>(place.line) > lines_.size())
    return "";
  const auto& line = lines_[static_cast<std::size_t>(place.line - 1)];
  const auto begin = static_cast<std::size_t>(place.column - 1);
  if (begin >= line.size() || line.size() > kWidestLine) return "";
  const auto is_control = [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; };
  if (std::any_of(line.begin(), line.end(), is_control)) return "";
  const auto marked = blank(line.substr(begin, length_of_value(line, begin)));
  const auto number = std::to_string(place.line);
  return fmt::format("{0} |\n{1} | {2}\n{0} | {3}{4}", std::string(number.size() + 1, ' '),
                     " " + number, line, blank(line.substr(0, begin)),
                     std::string(std::max<std::size_t>(1, marked.size()), '^'));
}

}  // namespace phalanx::config
