#pragma once

#include <string>
#include <utility>

#include "launcher/control/action.h"
#include "launcher/control/patient_file.h"
#include "launcher/control/state.h"
#include "launcher/control/tensorboard.h"
#include "protocol/run_directory.h"

namespace phalanx::control {

// metrics.jsonl, events.jsonl, summary.json and tensorboard/: what a run leaves for people and
// programs. This is their sole writer. Nothing here throws: a disk that fails does not end the
// training.
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
  TensorBoardFile tensorboard_;
};

// A line of metrics.jsonl.
std::string metrics_line(const RecordStep& step);
// A line of events.jsonl of something that happened at `time` (RFC 3339).
std::string event_line(const Record& record, const std::string& time);
// The content of summary.json.
std::string summary(const State& state, const Verdict& verdict, double now);

}  // namespace phalanx::control
