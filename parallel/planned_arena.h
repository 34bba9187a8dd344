#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "parallel/mapped_memory.h"
#include "parallel/tensor_memory.h"

namespace phalanx::parallel {

// Memory for the tensors of work that is done again and again in the same way, a training step: the
// first pass is recorded, its allocations and frees get places in one arena, and the passes after
// it take these without asking the system. A pass that differs goes on with memory of the system
// from there on, and the next one follows a new plan.
class PlannedArena {
 public:
  // One pass, of the thread that makes it and ends it. A tensor may outlive it, but is then left
  // out of the plan.
  class Pass {
   public:
    explicit Pass(PlannedArena& arena);
    ~Pass();  // plans; a pass that an exception ended teaches nothing
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    PlannedArena& arena_;
    PlannedArena* before_;
    MemoryScope use_;
    int exceptions_;
  };

  // What the last whole pass did.
  struct Counts {
    std::int64_t passes = 0;     // all so far
    std::int64_t blocks = 0;     // allocations
    std::int64_t unplanned = 0;  // of these, from the system
    std::int64_t peak = 0;       // bytes held at one moment
  };

  explicit PlannedArena(MemoryUse use) : use_(use) {}
  ~PlannedArena();  // after all tensors that lie in it
  PlannedArena(const PlannedArena&) = delete;
  PlannedArena& operator=(const PlannedArena&) = delete;

  const Counts& counts() const { return counts_; }
  std::int64_t bytes() const { return memory_.bytes(); }

  // For the allocator alone. A block is known by pass, of all arenas, and number.
  struct Block {
    std::int64_t pass = 0;  // none is 0
    std::int64_t number = 0;
  };
  struct Place {
    Block block;
    std::byte* address = nullptr;  // null: take it from the system
  };
  // The arena of the calling thread's pass; null outside.
  static PlannedArena* current();
  Place take(std::int64_t bytes);
  // Some block is freed by the thread of the pass.
  void give_back(const Block& block);
  // A block with an address is freed, by any thread, at any time.
  void leave() { in_use_.fetch_sub(1, std::memory_order_release); }

 private:
  // The n-th block, and what has happened in which order: the first time that a block's number
  // stands there it begins, the second time it ends.
  struct Trace {
    std::vector<std::int64_t> bytes;
    std::vector<std::int64_t> order;
    bool operator==(const Trace&) const = default;
  };

  void begin();
  void end();
  void plan();
  // Whether what happens now is what the plan expects.
  bool expected(std::int64_t number);

  MemoryUse use_;
  Counts counts_;
  Trace now_, planned_;
  std::vector<std::int64_t> offsets_;  // by block; -1: not in the arena
  MappedMemory memory_;
  bool follows_ = false;
  std::int64_t pass_ = 0;
  std::int64_t unplanned_ = 0;
  std::atomic<std::int64_t> in_use_ = 0;  // blocks of the arena
};

}  // namespace phalanx::parallel
