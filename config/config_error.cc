#include "config/config_error.h"

#include <fmt/format.h>

#include <algorithm>

namespace phalanx::config {
namespace {

constexpr std::size_t kMostPrinted = 100;

std::string print(const std::vector<ConfigProblem>& problems) {
  std::string text;
  for (std::size_t i = 0; i < std::min(problems.size(), kMostPrinted); ++i)
    text += (i == 0 ? "" : "\n\n") + problems[i].text();
  if (problems.size() > kMostPrinted)
    text += fmt::format("\n\nerror: and {} more", problems.size() - kMostPrinted);
  return text;
}

}  // namespace

std::string Place::text() const {
  return line > 0 ? fmt::format("{}:{}:{}", source, line, column) : source;
}

std::string ConfigProblem::text() const {
  const bool flag_names_the_key = place.source == "--" + path;
  std::string text = "error: " + place.text() + ": ";
  if (!path.empty() && !flag_names_the_key) text += path + ": ";
  text += message;
  if (!excerpt.empty()) text += "\n" + excerpt;
  for (std::size_t begin = 0; begin < help.size();) {
    const auto end = std::min(help.find('\n', begin), help.size());
    text += "\nhelp: " + help.substr(begin, end - begin);
    begin = end + 1;
  }
  return text;
}

ConfigError::ConfigError(std::vector<ConfigProblem> problems)
    : Error(print(problems)), problems_(std::move(problems)) {}

}  // namespace phalanx::config
