#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "config/config_error.h"

namespace phalanx::config {

// What reading a job file and flags brought to light beside the values: where each key was written,
// and what is wrong.
class Findings {
 public:
  // Where `path` was written; of two places the later counts.
  void place(const std::string& path, const Place& place) { places_[path] = place; }
  void forget_below(const std::string& path);
  // Null if it was not written: it has its default.
  const Place* find(const std::string& path) const;

  // The value of `path` cannot be used.
  void report(const Place& place, const std::string& path, std::string message,
              std::string help = {});
  // Whether it is that of `path`, or of a section that `path` is in.
  bool has_problem(const std::string& path) const;

  // All problems, in the order of the file, then the others in the order of their reports.
  std::vector<ConfigProblem> take_problems();

 private:
  std::map<std::string, Place> places_;
  std::set<std::string> refused_;
  std::vector<ConfigProblem> problems_;
};

}  // namespace phalanx::config
