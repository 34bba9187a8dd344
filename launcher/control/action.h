#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/messages.pb.h"

namespace phalanx::control {

constexpr int kAllNodes = -1;
constexpr int kNobody = -1;  // for ranks and nodes

// Sends a command to a node or to all of them. The command is shared, because a roster is as large
// as the job.
struct Send {
  int node = kAllNodes;
  std::shared_ptr<const protocol::NodeCommand> command;
};

// Makes `generation` ours, so that no other controller can begin it. Answered by GenerationClaimed
// or ClaimRefused.
struct ClaimGeneration {
  std::uint64_t generation = 0;
};

// Makes the checkpoint complete whose shards all ranks have written. Answered by
// CheckpointCommitted or CommitFailed.
struct CommitCheckpoint {
  std::uint64_t generation = 0;  // that saved it
  std::int64_t step = 0;
  std::int64_t samples = 0;
  std::int64_t tokens = 0;
  std::vector<std::string> shards;  // by rank: checkpoint::encode(ShardInfo)
};

// Removes what the ranks have written of a checkpoint that cannot become complete.
struct DiscardSave {
  std::uint64_t generation = 0;  // that saved it
  std::int64_t step = 0;
};

// Looks for the newest checkpoint that the attempt may begin from, beside these directories.
// Answered by CheckpointFound.
struct FindCheckpoint {
  std::vector<std::string> except;
};

// A line of events.jsonl.
struct Record {
  using Value = std::variant<std::int64_t, double, std::string>;

  std::string kind;
  std::uint64_t generation = 0;
  int node = kNobody;
  int rank = kNobody;
  std::string reason;
  std::vector<std::pair<std::string, Value>> details;
};

// A line of metrics.jsonl.
struct RecordStep {
  protocol::StepReport step;
  double tokens_per_second = 0;
};

// How the job ended. `first_cause` and `help` are for people, may have several lines, and are empty
// when nothing went wrong.
struct Verdict {
  int exit_code = 0;
  std::string outcome;  // done, cancelled, stopped, failed
  std::string first_cause;
  std::string help;
};

// All is over: write the summary and go.
struct EndJob {
  Verdict verdict;
};

using Action = std::variant<Send, ClaimGeneration, CommitCheckpoint, DiscardSave, FindCheckpoint,
                            Record, RecordStep, EndJob>;

}  // namespace phalanx::control
