#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace phalanx::launcher {

// Where a command's result goes: to stdout, for a person or, with --json, as one JSON value. What
// happens on the way, and errors, go to stderr in both cases.
class Printer {
 public:
  explicit Printer(bool as_json) : as_json_(as_json) {}

  bool as_json() const { return as_json_; }
  // The result: `json` or `text`, and a newline unless it ends in one.
  void print(const nlohmann::ordered_json& json, const std::string& text) const;

 private:
  bool as_json_;
};

}  // namespace phalanx::launcher
