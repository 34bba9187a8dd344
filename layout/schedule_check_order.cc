#include <fmt/format.h>

#include <array>
#include <utility>

#include "layout/schedule_check_rank.h"

namespace phalanx::layout {
namespace {

using Kind = OperationKind;
constexpr std::size_t kKinds = static_cast<std::size_t>(Kind::kReceiveGradient) + 1;
constexpr std::size_t at(Kind kind) { return static_cast<std::size_t>(kind); }

// What a rank does with one micro-batch in one chunk.
struct Passage {
  std::array<int, kKinds> count{};
  std::array<std::size_t, kKinds> first{};  // index of the first of each kind in the rank's list

  bool has(Kind kind) const { return count[at(kind)] > 0; }
  Kind input_backward() const {
    return has(Kind::kBackwardInput) ? Kind::kBackwardInput : Kind::kBackward;
  }
};

class PassageCheck {
 public:
  PassageCheck(const Schedule& schedule, int rank, std::vector<Finding>& findings)
      : schedule_(schedule), rank_(rank), findings_(findings) {}

  bool read() {
    const auto& list = schedule_.ranks[static_cast<std::size_t>(rank_)];
    passages_.resize(index(0, schedule_.chunks));
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto& [kind, micro_batch, chunk] = list[i];
      const bool of_chunk = kind == Kind::kGather || kind == Kind::kFree || kind == Kind::kReduce;
      if (chunk < 0 || chunk >= schedule_.chunks || micro_batch >= schedule_.micro_batches ||
          of_chunk != (micro_batch == -1)) {
        report(Rule::kComplete,
               fmt::format("operation {}, {}, is none of this schedule's", i, text(list[i])));
        return false;
      }
      if (of_chunk) continue;
      auto& passage = of(micro_batch, chunk);
      if (passage.count[at(kind)]++ == 0) passage.first[at(kind)] = i;
    }
    return true;
  }

  void check() {
    for (int chunk = 0; chunk < schedule_.chunks; ++chunk)
      for (int i = 0; i < schedule_.micro_batches; ++i) {
        check_complete(i, chunk);
        check_ordered(i, chunk);
      }
  }

 private:
  std::size_t index(int micro_batch, int chunk) const {
    return static_cast<std::size_t>(chunk) * static_cast<std::size_t>(schedule_.micro_batches) +
           static_cast<std::size_t>(micro_batch);
  }

  Passage& of(int micro_batch, int chunk) { return passages_[index(micro_batch, chunk)]; }

  void report(Rule rule, std::string text) { findings_.push_back({rule, rank_, std::move(text)}); }

  void check_complete(int micro_batch, int chunk) {
    const auto& passage = of(micro_batch, chunk);
    const bool split = passage.has(Kind::kBackwardInput) || passage.has(Kind::kBackwardWeight);
    const bool before = schedule_.crosses(rank_, chunk, -1);
    const bool behind = schedule_.crosses(rank_, chunk, 1);
    const auto stage = static_cast<std::size_t>(schedule_.stage(rank_, chunk));
    const std::pair<Kind, bool> expected[] = {
        {Kind::kForward, true},
        {Kind::kBackward, !split},
        {Kind::kBackwardInput, split},
        {Kind::kBackwardWeight, split},
        {Kind::kRecompute, schedule_.recomputed[stage]},
        {Kind::kReceiveActivation, before},
        {Kind::kSendGradient, before},
        {Kind::kSendActivation, behind},
        {Kind::kReceiveGradient, behind},
    };
    for (const auto& [kind, once] : expected)
      if (passage.count[at(kind)] != (once ? 1 : 0))
        report(Rule::kComplete,
               fmt::format("{}: expected {}, found {}", text({kind, micro_batch, chunk}),
                           once ? 1 : 0, passage.count[at(kind)]));
  }

  void check_ordered(int micro_batch, int chunk) {
    const auto& own = of(micro_batch, chunk);
    const Kind backward = own.input_backward();
    const std::pair<Kind, Kind> pairs[] = {
        {Kind::kReceiveActivation, Kind::kForward},
        {Kind::kForward, Kind::kSendActivation},
        {Kind::kForward, Kind::kRecompute},
        {Kind::kForward, backward},
        {Kind::kRecompute, backward},
        {Kind::kReceiveGradient, backward},
        {backward, Kind::kSendGradient},
        {backward, Kind::kBackwardWeight},
    };
    for (const auto& [first, second] : pairs)
      check_before(own, first, own, second, micro_batch, chunk);
    // Where the next stage is on this rank too, results are handed over without a message.
    const int next = schedule_.stage(rank_, chunk) + 1;
    if (next == schedule_.stages() || schedule_.rank_of(next) != rank_) return;
    const auto& behind = of(micro_batch, schedule_.chunk_of(next));
    check_before(own, Kind::kForward, behind, Kind::kForward, micro_batch, chunk);
    check_before(behind, behind.input_backward(), own, backward, micro_batch, chunk);
  }

  void check_before(const Passage& a, Kind first, const Passage& b, Kind second, int micro_batch,
                    int chunk) {
    if (!a.has(first) || !b.has(second) || a.first[at(first)] < b.first[at(second)]) return;
    report(Rule::kOrdered,
           fmt::format("micro-batch {}, chunk {}: expected {} before {}, found it behind, at "
                       "operations {} and {}",
                       micro_batch, chunk, name(first), name(second), a.first[at(first)],
                       b.first[at(second)]));
  }

  const Schedule& schedule_;
  int rank_;
  std::vector<Finding>& findings_;
  std::vector<Passage> passages_;
};

}  // namespace

bool check_complete_and_ordered(const Schedule& schedule, int rank,
                                std::vector<Finding>& findings) {
  PassageCheck check(schedule, rank, findings);
  if (!check.read()) return false;
  check.check();
  return true;
}

}  // namespace phalanx::layout
