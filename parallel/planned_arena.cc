#include "parallel/planned_arena.h"

#include <exception>
#include <utility>

#include "base/check.h"
#include "layout/arena_plan.h"

namespace phalanx::parallel {
namespace {

thread_local PlannedArena* current_arena = nullptr;
std::atomic<std::int64_t> passes = 0;  // of all arenas

// When each block of a trace began and ended, by moments of its order; -1 where it never ended.
std::vector<layout::Lifetime> lifetimes(const std::vector<std::int64_t>& bytes,
                                        const std::vector<std::int64_t>& order) {
  std::vector<layout::Lifetime> blocks(bytes.size(), {0, -1, -1});
  for (std::size_t moment = 0; moment < order.size(); ++moment) {
    const auto number = static_cast<std::size_t>(order[moment]);
    auto& block = blocks[number];
    block.bytes = bytes[number];
    (block.begin < 0 ? block.begin : block.end) = static_cast<std::int64_t>(moment);
  }
  return blocks;
}

}  // namespace

PlannedArena::Pass::Pass(PlannedArena& arena)
    : arena_(arena),
      before_(std::exchange(current_arena, &arena)),
      use_(arena.use_),
      exceptions_(std::uncaught_exceptions()) {
  arena_.begin();
}

PlannedArena::Pass::~Pass() {
  current_arena = before_;
  if (std::uncaught_exceptions() == exceptions_) arena_.end();
}

PlannedArena::~PlannedArena() {
  check(in_use_ == 0, "a planned arena outlives the tensors that lie in it");
}

PlannedArena* PlannedArena::current() { return current_arena; }

void PlannedArena::begin() {
  pass_ = ++passes;
  now_.bytes.clear();
  now_.order.clear();
  unplanned_ = 0;
  // A block that a pass unlike the plan has left behind lies where others would come.
  follows_ = !planned_.order.empty() && in_use_.load(std::memory_order_acquire) == 0;
}

bool PlannedArena::expected(std::int64_t number) {
  const std::size_t moment = now_.order.size();
  return follows_ && moment < planned_.order.size() && planned_.order[moment] == number;
}

PlannedArena::Place PlannedArena::take(std::int64_t bytes) {
  const auto number = static_cast<std::int64_t>(now_.bytes.size());
  const auto index = static_cast<std::size_t>(number);
  follows_ = expected(number) && planned_.bytes[index] == bytes;
  now_.bytes.push_back(bytes);
  now_.order.push_back(number);
  Place place{{pass_, number}};
  if (follows_ && offsets_[index] >= 0) {
    in_use_.fetch_add(1, std::memory_order_relaxed);
    place.address = memory_.data() + offsets_[index];
  } else {
    ++unplanned_;
  }
  return place;
}

void PlannedArena::give_back(const Block& block) {
  if (block.pass != pass_) return;
  follows_ = expected(block.number);
  now_.order.push_back(block.number);
}

void PlannedArena::end() {
  counts_.passes += 1;
  counts_.blocks = std::ssize(now_.bytes);
  counts_.unplanned = unplanned_;
  if (now_ != planned_) plan();
}

void PlannedArena::plan() {
  planned_ = {};
  if (in_use_.load(std::memory_order_acquire) != 0) return;
  const auto all = lifetimes(now_.bytes, now_.order);
  std::vector<layout::Lifetime> ended;
  for (const auto& block : all)
    if (block.end >= 0) ended.push_back(block);
  const auto plan = layout::plan_arena(ended);
  counts_.peak = layout::peak_bytes(ended);
  offsets_.assign(all.size(), -1);
  for (std::size_t i = 0, planned = 0; i < all.size(); ++i)
    if (all[i].end >= 0) offsets_[i] = plan.offsets[planned++];
  memory_ = MappedMemory();  // first, so that there are never two
  memory_ = MappedMemory(plan.bytes);
  if (memory_.data() != nullptr) planned_ = now_;
}

}  // namespace phalanx::parallel
