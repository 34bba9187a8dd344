#include "config/findings.h"

#include <algorithm>
#include <climits>
#include <utility>

namespace phalanx::config {

const Place* Findings::find(const std::string& path) const {
  const auto found = places_.find(path);
  return found == places_.end() ? nullptr : &found->second;
}

void Findings::forget_below(const std::string& path) {
  std::erase_if(places_, [&](const auto& entry) { return entry.first.starts_with(path + "."); });
}

void Findings::report(const Place& place, const std::string& path, std::string message,
                      std::string help) {
  refused_.insert(path);
  problems_.push_back({place, path, std::move(message), std::move(help), {}});
}

bool Findings::has_problem(const std::string& path) const {
  if (refused_.contains("") || refused_.contains(path)) return true;
  for (auto dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1))
    if (refused_.contains(path.substr(0, dot))) return true;
  return false;
}

std::vector<ConfigProblem> Findings::take_problems() {
  const auto order = [](const ConfigProblem& problem) {
    const int line = problem.place.line > 0 ? problem.place.line : INT_MAX;
    return std::pair(line, problem.place.column);
  };
  std::stable_sort(problems_.begin(), problems_.end(),
                   [&](const auto& a, const auto& b) { return order(a) < order(b); });
  return std::exchange(problems_, {});
}

}  // namespace phalanx::config
