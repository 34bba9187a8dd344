#include "launcher/control/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "protocol/exit_code.h"

namespace phalanx::control {
namespace {

template <class T>
bool all_share_one(const std::deque<Round>& rounds, std::set<T> Round::*members) {
  std::set<T> shared = rounds.front().*members;
  for (const Round& round : rounds) {
    std::set<T> both;
    std::set_intersection(shared.begin(), shared.end(), (round.*members).begin(),
                          (round.*members).end(), std::inserter(both, both.end()));
    shared = std::move(both);
  }
  return !shared.empty();
}

}  // namespace

std::optional<Verdict> verdict_on_rounds(State& state) {
  auto& rounds = state.rounds;
  if (rounds.empty()) return std::nullopt;
  rounds.back().step = state.recorded_step();
  const auto same_step = [&](const Round& round) { return round.step == rounds.back().step; };
  if (rounds.size() < kRounds || !std::all_of(rounds.begin(), rounds.end(), same_step))
    return std::nullopt;
  if (!all_share_one(rounds, &Round::ranks) && !all_share_one(rounds, &Round::causes))
    return std::nullopt;
  const bool hang =
      std::all_of(rounds.begin(), rounds.end(), [](const Round& round) { return round.hang; });
  const auto code = hang ? protocol::ExitCode::kHang : protocol::ExitCode::kTrainingCode;
  return Verdict{
      static_cast<int>(code), "failed",
      fmt::format("step {} failed {} times in a row; the last time {}", state.recorded_step() + 1,
                  kRounds, rounds.back().account),
      "the trouble comes back each time, so it is in the training code, its data or that "
      "place, not bad luck: see the rank's log in logs/"};
}

Verdict verdict_on_start(const State& state, const Death& death) {
  std::string cause = fmt::format(
      "the worker of rank {} (node {}, slot {}) ended {} times before it could join; the last time "
      "it "
      "{}",
      death.rank, state.node_of(death.rank), state.slot_of(death.rank), kRounds, death.how);
  if (!death.last_lines.empty()) cause += "\nlast lines of its log:\n" + death.last_lines;
  return {static_cast<int>(protocol::ExitCode::kTrainingCode), "failed", std::move(cause),
          "see its log in logs/"};
}

}  // namespace phalanx::control
