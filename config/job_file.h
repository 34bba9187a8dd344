#pragma once

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/findings.h"

namespace phalanx::config {

// The text of a job file as YAML and as lines to quote.
class JobFile {
 public:
  // Reads the file; a file that cannot be read is reported.
  JobFile(const std::string& path, Findings& findings);
  // The text of a job that is no file; `name` stands for its path.
  JobFile(std::string name, std::string text);

  const std::string& name() const { return path_; }  // as the user wrote it
  std::filesystem::path folder() const;              // absolute

  // The one document of the file. Nothing if the file could not be read, is no YAML, or holds no or
  // several documents: that has been reported.
  std::optional<YAML::Node> parse(Findings& findings) const;

  // The line of `place` with a mark under the value, as compilers print it; empty if the line
  // cannot be shown.
  std::string excerpt(const Place& place) const;

 private:
  std::string path_;
  std::optional<std::string> text_;
  std::vector<std::string> lines_;
};

}  // namespace phalanx::config
