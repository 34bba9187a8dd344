#include "layout/schedule_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

#include "base/philox.h"
#include "layout/schedule_walk.h"
#include "tests/layout/schedule_cases.h"

namespace phalanx::layout {
namespace {

using Kind = OperationKind;
using List = std::vector<Operation>;

List::iterator find(List& list, const Operation& operation) {
  const auto found = std::find(list.begin(), list.end(), operation);
  EXPECT_NE(found, list.end()) << text(operation);
  return found;
}

List::iterator find(List& list, Kind kind) {
  return std::find_if(list.begin(), list.end(),
                      [&](const auto& operation) { return operation.kind == kind; });
}

void move_before(List& list, const Operation& what, const Operation& before) {
  list.erase(find(list, what));
  list.insert(find(list, before), what);
}

bool finds(const Schedule& schedule, Rule rule) {
  const auto proof = check_schedule(schedule);
  return std::any_of(proof.findings.begin(), proof.findings.end(),
                     [&](const auto& finding) { return finding.rule == rule; });
}

// A deliberate fault in rank 1 of a ZB-V schedule of 3 ranks and 8 micro-batches with recompute in
// every other stage and everything sharded; and the rule that it breaks. Chunk 0 of rank 1 is stage
// 1, chunk 1 is stage 4, which is recomputed.
struct Fault {
  const char* what;
  Rule rule;
  std::function<void(List&)> commit;
};

const Fault kFaults[] = {
    {"a micro-batch's forward is dropped", Rule::kComplete,
     [](List& list) {
       list.erase(find(list, {Kind::kForward, 3, 0}));
     }},
    {"a forward is done twice", Rule::kComplete,
     [](List& list) {
       list.insert(find(list, {Kind::kForward, 3, 0}), {Kind::kForward, 3, 0});
     }},
    {"a weight gradient is dropped", Rule::kComplete,
     [](List& list) {
       list.erase(find(list, {Kind::kBackwardWeight, 7, 1}));
     }},
    {"a weight gradient is counted twice", Rule::kComplete,
     [](List& list) {
       list.insert(find(list, {Kind::kBackwardWeight, 2, 0}), {Kind::kBackwardWeight, 2, 0});
     }},
    {"a whole backward beside the split one", Rule::kComplete,
     [](List& list) {
       list.insert(find(list, {Kind::kBackwardWeight, 2, 0}), {Kind::kBackward, 2, 0});
     }},
    {"a micro-batch that does not exist", Rule::kComplete,
     [](List& list) {
       list.push_back({Kind::kForward, 8, 0});
     }},
    {"a chunk that does not exist", Rule::kComplete,
     [](List& list) {
       list.push_back({Kind::kForward, 0, 2});
     }},
    {"a recompute is missing", Rule::kComplete,
     [](List& list) {
       list.erase(find(list, {Kind::kRecompute, 0, 1}));
     }},
    {"a stage that keeps its activations is recomputed", Rule::kComplete,
     [](List& list) {
       list.insert(find(list, {Kind::kBackwardInput, 0, 0}), {Kind::kRecompute, 0, 0});
     }},
    {"a send is missing", Rule::kNoDeadlock,
     [](List& list) {
       list.erase(find(list, {Kind::kSendActivation, 5, 0}));
     }},
    {"a receive is missing", Rule::kComplete,
     [](List& list) {
       list.erase(find(list, {Kind::kReceiveGradient, 5, 0}));
     }},
    {"a forward before its input", Rule::kOrdered,
     [](List& list) {
       move_before(list, {Kind::kForward, 1, 0}, {Kind::kReceiveActivation, 1, 0});
     }},
    {"a send before its forward", Rule::kOrdered,
     [](List& list) {
       move_before(list, {Kind::kSendActivation, 4, 0}, {Kind::kForward, 4, 0});
     }},
    {"a weight gradient before its input gradient", Rule::kOrdered,
     [](List& list) {
       move_before(list, {Kind::kBackwardWeight, 4, 1}, {Kind::kBackwardInput, 4, 1});
     }},
    {"a recompute behind its backward", Rule::kOrdered,
     [](List& list) {
       move_before(list, {Kind::kBackwardInput, 4, 1}, {Kind::kRecompute, 4, 1});
     }},
    {"a recompute before its forward", Rule::kOrdered,
     [](List& list) {
       move_before(list, {Kind::kRecompute, 4, 1}, {Kind::kForward, 4, 1});
     }},
    {"two messages in the wrong order", Rule::kNoDeadlock,
     [](List& list) {
       std::swap(*find(list, {Kind::kSendActivation, 0, 0}),
                 *find(list, {Kind::kSendActivation, 1, 0}));
     }},
    {"a gradient is waited for before the forward that leads to it", Rule::kNoDeadlock,
     [](List& list) {
       move_before(list, {Kind::kReceiveGradient, 0, 1}, {Kind::kReceiveActivation, 0, 0});
     }},
    {"parameters are used without a gather", Rule::kParameters,
     [](List& list) { list.erase(find(list, Kind::kGather)); }},
    {"parameters are freed before their last use", Rule::kParameters,
     [](List& list) {
       const auto free = find(list, Kind::kFree);
       std::iter_swap(
           free,
           std::find_if(std::make_reverse_iterator(free), list.rend(), [&](const auto& operation) {
             return operation.chunk == free->chunk && is_compute(operation.kind);
           }));
     }},
    {"parameters are never freed", Rule::kParameters,
     [](List& list) { list.erase(find(list, Kind::kFree)); }},
    {"parameters are gathered twice", Rule::kParameters,
     [](List& list) { list.insert(list.begin(), *find(list, Kind::kGather)); }},
    {"gradients are not reduced", Rule::kGradients,
     [](List& list) { list.erase(find(list, Kind::kReduce)); }},
    {"gradients are reduced twice", Rule::kGradients,
     [](List& list) { list.insert(find(list, Kind::kReduce), *find(list, Kind::kReduce)); }},
    {"gradients are reduced before the last is there", Rule::kGradients,
     [](List& list) {
       move_before(list, {Kind::kReduce, -1, 1}, {Kind::kBackwardInput, 0, 1});
     }},
};

TEST(ScheduleCheck, CatchesEveryDeliberateFault) {
  for (const auto& fault : kFaults) {
    auto schedule = full(ScheduleKind::kZbV, {3, 2, 8});
    ASSERT_TRUE(check_schedule(schedule).proven());
    fault.commit(schedule.ranks[1]);
    EXPECT_TRUE(finds(schedule, fault.rule)) << fault.what;
  }
}

TEST(ScheduleCheck, CatchesAStepThatGathersTwiceAndOneThatReducesTwice) {
  auto schedule = build_schedule(ScheduleKind::kInterleaved, {2, 2, 4});
  const auto per_run =
      with_transfers(with_sharding(schedule, ParameterPolicy::kPerRun, GradientPolicy::kPerRun));
  auto claimed = per_run;
  claimed.parameters = ParameterPolicy::kHeldForStep;
  EXPECT_TRUE(finds(claimed, Rule::kParameters));
  claimed = per_run;
  claimed.gradients = GradientPolicy::kOncePerStep;
  EXPECT_TRUE(finds(claimed, Rule::kGradients));
}

TEST(ScheduleCheck, HoldsActivationsToTheirBound) {
  const auto schedule = plain(ScheduleKind::kOneFOneB, {4, 1, 8});
  EXPECT_TRUE(check_schedule(schedule, {{}, 4}).proven());
  const auto proof = check_schedule(schedule, {{}, 3});
  ASSERT_EQ(proof.findings.size(), 1U);
  EXPECT_EQ(proof.findings[0].rule, Rule::kMemory);
  EXPECT_EQ(proof.findings[0].rank, 0);
  EXPECT_EQ(proof.findings[0].text, "expected to hold activations of at most 3, found 4");
}

TEST(ScheduleCheck, SaysWhoWaitsForWhatInADeadlock) {
  auto schedule = plain(ScheduleKind::kOneFOneB, {2, 1, 1});
  move_before(schedule.ranks[0], {Kind::kReceiveGradient, 0, 0}, {Kind::kForward, 0, 0});
  const auto proof = check_schedule(schedule);
  ASSERT_EQ(proof.findings.size(), 2U);
  EXPECT_EQ(proof.findings[0].text,
            "waits for ever at operation 0, receive of gradient of micro-batch 0, chunk 0 from "
            "rank 1: nothing comes");
  EXPECT_EQ(proof.findings[1].rank, 1);
}

// GPipe's ranks send in one direction at a time; others' neighbours send to each other at once,
// which is a deadlock where a send waits for its receive.
TEST(ScheduleCheck, TellsHowManyMessagesMustBeAbleToWait) {
  const auto capacity = [](ScheduleKind kind) {
    return check_schedule(plain(kind, {4, chunk_counts(kind)[0], 8})).channel_capacity;
  };
  EXPECT_EQ(capacity(ScheduleKind::kGPipe), 0U);
  for (const auto kind : {ScheduleKind::kOneFOneB, ScheduleKind::kEager1F1B,
                          ScheduleKind::kInterleaved, ScheduleKind::kZbH1, ScheduleKind::kZbH2})
    EXPECT_EQ(capacity(kind), 1U);
  EXPECT_EQ(capacity(ScheduleKind::kZbV), 2U);
  EXPECT_EQ(capacity(ScheduleKind::kDualPipeV), 2U);
}

// Numbers that depend on a trial and how many were drawn before.
class Draws {
 public:
  explicit Draws(std::uint32_t trial) : trial_(trial) {}
  std::size_t below(std::size_t bound) {
    return philox({trial_, drawn_++, 0, 0}, {1, 2})[0] % bound;
  }
  ScheduleKind kind() { return kEveryKind[below(std::size(kEveryKind))]; }

 private:
  std::uint32_t trial_, drawn_ = 0;
};

// Executes a schedule as a rank would, and says whether every pass found what it needs. Knows
// nothing of the checker.
class Execution {
 public:
  explicit Execution(const Schedule& schedule) : schedule_(schedule) {
    ScheduleWalk walk(schedule);
    walk.run([this](int rank, std::size_t index) {
      execute(rank, schedule_.ranks[static_cast<std::size_t>(rank)][index]);
    });
    sound_ = sound_ && walk.finished();
  }
  bool sound() const { return sound_; }

 private:
  enum Thing { kInput, kOutput, kOutputGradient, kInputGradient };
  using Key = std::tuple<Thing, int, int>;  // of a stage and micro-batch

  void need(Thing thing, int stage, int micro_batch) {
    sound_ = sound_ && there_.contains({thing, stage, micro_batch});
  }

  void execute(int rank, const Operation& operation) {
    const int stage = schedule_.stage(rank, operation.chunk), i = operation.micro_batch;
    const bool first = stage == 0, last = stage + 1 == schedule_.stages();
    switch (operation.kind) {
      case Kind::kForward:
        if (!first && schedule_.crosses(rank, operation.chunk, -1)) need(kInput, stage, i);
        if (!first && !schedule_.crosses(rank, operation.chunk, -1)) need(kOutput, stage - 1, i);
        there_.insert({kOutput, stage, i});
        break;
      case Kind::kBackward:
      case Kind::kBackwardInput:
        need(kOutput, stage, i);
        if (!last && schedule_.crosses(rank, operation.chunk, 1)) need(kOutputGradient, stage, i);
        if (!last && !schedule_.crosses(rank, operation.chunk, 1))
          need(kInputGradient, stage + 1, i);
        there_.insert({kInputGradient, stage, i});
        break;
      case Kind::kBackwardWeight:
      case Kind::kSendGradient:
        need(kInputGradient, stage, i);
        break;
      case Kind::kSendActivation:
        need(kOutput, stage, i);
        break;
      default:
        there_.insert(
            {operation.kind == Kind::kReceiveActivation ? kInput : kOutputGradient, stage, i});
    }
  }

  const Schedule& schedule_;
  std::set<Key> there_;
  bool sound_ = true;
};

// Two neighbouring operations of a rank change places: the checker finds a fault exactly if an
// execution does.
TEST(ScheduleCheck, AgreesWithAnExecutionAboutRandomExchanges) {
  int broken = 0, sound = 0;
  for (std::uint32_t trial = 0; trial < 2000; ++trial) {
    Draws draws(trial);
    const auto kind = draws.kind();
    auto schedule = plain(kind, {3, chunk_counts(kind)[0], 5});
    auto& list = schedule.ranks[draws.below(3)];
    const auto i = draws.below(list.size() - 1);
    std::swap(list[i], list[i + 1]);
    const bool runs = Execution(schedule).sound();
    EXPECT_EQ(check_schedule(schedule).proven(), runs)
        << "trial " << trial << ": " << text(list[i + 1]) << " and " << text(list[i]);
    ++(runs ? sound : broken);
  }
  EXPECT_GT(broken, 400);
  EXPECT_GT(sound, 400);
}

// An operation dropped, doubled, moved to another micro-batch or chunk, in any schedule with
// everything in it, is never overlooked.
TEST(ScheduleCheck, CatchesEveryRandomMutationOfWhatIsDone) {
  for (std::uint32_t trial = 0; trial < 2000; ++trial) {
    Draws draws(trial);
    const auto kind = draws.kind();
    auto schedule = full(kind, {3, chunk_counts(kind)[0], 5});
    auto& list = schedule.ranks[draws.below(3)];
    const auto at = list.begin() + static_cast<std::ptrdiff_t>(draws.below(list.size()));
    const auto operation = *at;
    switch (draws.below(3)) {
      case 0:
        list.erase(at);
        break;
      case 1:
        list.insert(at, operation);
        break;
      case 2:
        at->micro_batch = operation.micro_batch < 0 ? 0 : (operation.micro_batch + 1) % 5;
        break;
    }
    EXPECT_FALSE(check_schedule(schedule).proven()) << "trial " << trial << ", " << text(operation);
  }
}

}  // namespace
}  // namespace phalanx::layout
