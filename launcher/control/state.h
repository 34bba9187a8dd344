#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "launcher/control/action.h"
#include "launcher/control/decision.pb.h"

namespace phalanx::control {

constexpr double kNever = std::numeric_limits<double>::infinity();

// What holds a slot, the place of one rank.
struct Worker {
  enum class State {
    kAbsent,     // its node is not ready
    kStarting,   // asked for; has not reported yet
    kCandidate,  // waits for a roster
    kMember,     // of the current generation
    kFinished,   // a member whose work is done
    kReturning,  // was a member of a broken generation, expected back as a candidate
  };

  State state = State::kAbsent;
  bool killed = false;  // a KillWorker is under way
  bool was_member = false;
  int failed_starts = 0;  // processes in a row that ended before they were members
  std::int64_t pid = 0;   // 0: no process known
  std::uint64_t start_time = 0;
  protocol::Candidate candidate;  // its last
};

struct Node {
  std::string name;
  bool ready = false;
  bool ended = false;
};

// A broken generation, as the verdict on a rank that keeps dying needs it.
struct Round {
  std::int64_t step = 0;         // the last that counted
  std::set<int> ranks;           // that died
  std::set<std::string> causes;  // of which any rank may die
  std::string account;           // for people
  bool hang = false;             // a deadline passed rather than a process died
};

// One recovery, for the summary.
struct Recovery {
  std::string rung;  // replica, checkpoint, start
  std::string cause;
  int rank = kNobody;
  double noticed_at = 0;
  double noticed_seconds = 0;   // from the first sign known to the abort
  double resumed_seconds = -1;  // from the notice to the first step; -1: not yet
  std::int64_t steps_lost = 0;
};

// A step that counts.
struct StepRecord {
  double seconds = 0;
  std::int64_t tokens = 0;            // so far
  double model_flops_per_second = 0;  // a rank's
};

// The shards of one step.
struct Save {
  enum class State { kCollecting, kCommitting, kFailed };

  State state = State::kCollecting;
  std::uint64_t generation = 0;
  std::vector<bool> reported;  // by rank: whether it has saved, or failed to
  int waiting_for = 0;         // ranks that have not
  std::string failure;         // why it failed
  std::int64_t samples = 0;    // the cursor of the saved state
  std::int64_t tokens = 0;
  double stall_seconds = 0;         // the largest of the ranks
  std::vector<std::string> shards;  // by rank
};

// A failed collective whose cause has not shown itself yet.
struct Suspicion {
  int peer = kNobody;
  double since = 0;
  std::string message;
};

// When patience ends; kNever: nobody waits.
struct Deadlines {
  double forming = kNever;    // all candidates are there
  double returning = kNever;  // survivors are back
  double suspicion = kNever;  // a suspected rank's exit has been reported
  double stopping = kNever;   // the final state is saved
  double ending = kNever;     // all nodes have ended
};

// All that decide() knows. Built by decide() alone, from events.
struct State {
  enum class Phase {
    kForming,     // the next generation
    kTraining,    // the generation is at work
    kCommitting,  // all ranks have finished; the final checkpoint is being made complete
    kEnding,      // the verdict is known, nodes are being ended
    kEnded,
  };

  // The job.
  int nodes_wanted = 0;
  int slots_per_node = 0;
  std::int64_t steps = 0;
  double began_at = 0;
  bool needs_new_processes = false;  // the backend cannot re-form: nobody survives a generation
  protocol::StateSharing sharing;

  // Members. Rank = node * slots_per_node + slot.
  Phase phase = Phase::kForming;
  std::vector<Node> nodes;
  std::vector<Worker> workers;
  int candidates = 0;
  int finished = 0;
  int ended_nodes = 0;
  Deadlines deadlines;
  std::map<int, double> detached;  // node -> deadline

  // Generations.
  std::uint64_t generation = 0;        // the newest that began; what earlier attempts claimed
  std::uint64_t first_generation = 0;  // of this attempt
  bool claimed = false;                // generation + 1 is ours
  std::int64_t begin_step = 0;         // of the generation
  std::string reason;                  // why the next generation forms
  std::optional<Suspicion> suspicion;
  std::deque<Round> rounds;  // broken generations in a row that may share a cause; at most 3
  std::vector<Recovery> recoveries;

  // Steps.
  std::int64_t first_step = 0;      // complete steps that the attempt began from
  std::vector<StepRecord> records;  // of first_step + 1 and following
  std::int64_t first_tokens = 0;    // trained when it began
  protocol::StepReport last_step;
  double tokens_per_second = 0;
  double peak_flops_per_second = 0;  // of a rank; 0: not known yet

  // Checkpoints.
  std::map<std::int64_t, Save> saves;             // by step
  std::optional<SavedState> checkpoint;           // the newest complete one that is not passed over
  std::vector<protocol::PassedOver> passed_over;  // no rank can load these
  bool searching = false;                         // for a checkpoint in the place of those

  // The end.
  std::optional<StopRequest::Why> stop;
  int recoveries_since_stop = 0;
  std::int64_t finished_step = 0;
  std::optional<Verdict> verdict;

  int ranks() const { return nodes_wanted * slots_per_node; }
  int rank_of(int node, int slot) const { return node * slots_per_node + slot; }
  int node_of(int rank) const { return rank / slots_per_node; }
  int slot_of(int rank) const { return rank % slots_per_node; }
  // Complete steps of the line that counts.
  std::int64_t recorded_step() const {
    return first_step + static_cast<std::int64_t>(records.size());
  }
  bool all_finished() const { return finished == ranks(); }
};

}  // namespace phalanx::control
