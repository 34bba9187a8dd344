#pragma once

#include <deque>
#include <optional>
#include <string>

#include "base/file.h"

namespace phalanx::control {

// A file of lines that survives a full disk: lines that cannot be written wait in memory (the
// newest 100,000) and follow when there is room again. Warns once each time it begins to wait. A
// line that the crash of an earlier writer has torn is cut off, so that only the last one can ever
// be torn.
class PatientFile {
 public:
  explicit PatientFile(std::filesystem::path path) : path_(std::move(path)) {}
  void append(std::string record);

 private:
  std::filesystem::path path_;
  std::optional<AppendFile> file_;
  std::deque<std::string> waiting_;
  bool warned_ = false;
};

}  // namespace phalanx::control
