#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace phalanx::config {

// Where a value was written: a job file with line and column (from 1), a file as a whole (line 0),
// or a flag
// (`source` is "--train.steps", line 0).
struct Place {
  std::string source;
  int line = 0;
  int column = 0;

  std::string text() const;  // "job.yaml:12:5"
};

// One thing that is wrong with a job.
struct ConfigProblem {
  Place place;
  std::string path;     // of the key, "model.heads"; empty: the file as a whole
  std::string message;  // what was expected and what was found
  std::string help;     // what to do; lines, empty if nothing is known to help
  std::string excerpt;  // the line of the file with a mark under the place; empty for flags

  std::string text()
      const;  // "error: PLACE: PATH: MESSAGE", the excerpt, "help: HELP"; no newline at the end
};

// A job that cannot be used, with everything that is wrong with it: in the order of the file, then
// the flags. what() is the whole text for a terminal, one paragraph a problem, and begins with
// "error: ".
class ConfigError : public Error {
 public:
  explicit ConfigError(std::vector<ConfigProblem> problems);
  const std::vector<ConfigProblem>& problems() const { return problems_; }

 private:
  std::vector<ConfigProblem> problems_;
};

}  // namespace phalanx::config
