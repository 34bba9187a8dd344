#pragma once

#include <deque>
#include <optional>
#include <string>

#include "base/file.h"
#include "launcher/control/action.h"
#include "launcher/control/state.h"
#include "protocol/run_directory.h"

namespace phalanx::control {

// A file of lines that survives a full disk: lines that cannot be written wait in memory (the
// newest 100,000) and follow when there is room again. Warns once each time it begins to wait.
class PatientFile {
 public:
  explicit PatientFile(std::filesystem::path path) : path_(std::move(path)) {}
  void append(std::string line);

 private:
  std::filesystem::path path_;
  std::optional<LineFile> file_;
  std::deque<std::string> waiting_;
  bool warned_ = false;
};

// metrics.jsonl, events.jsonl and summary.json: what a run leaves for people and programs. This is
// their sole writer. Nothing here throws: a disk that fails does not end the training.
class RunFiles {
 public:
  explicit RunFiles(const protocol::RunDirectory& directory);

  void write(const RecordStep& step);
  // Returns the line.
  std::string write(const Record& record);
  void write_summary(const State& state, const Verdict& verdict, double now);

  // The step and generation of the last whole line of metrics.jsonl; 0 and 0 when there is none.
  std::pair<std::int64_t, std::uint64_t> last_written_step() const;

 private:
  protocol::RunDirectory directory_;
  PatientFile metrics_;
  PatientFile events_;
};

// A line of metrics.jsonl.
std::string metrics_line(const RecordStep& step);
// A line of events.jsonl of something that happened at `time` (RFC 3339).
std::string event_line(const Record& record, const std::string& time);
// The content of summary.json.
std::string summary(const State& state, const Verdict& verdict, double now);

}  // namespace phalanx::control
