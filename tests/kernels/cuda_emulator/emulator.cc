#include <ucontext.h>

#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <vector>

#include "cuda_runtime.h"

// What kernels declare as `extern __shared__`.
namespace phalanx::kernels::cuda {
alignas(128) thread_local unsigned char dynamic_shared[kSharedMemoryOfBlock];
}

namespace emulator {
namespace {

enum class State { kRuns, kAtBlockBarrier, kAtWarpBarrier, kEnded };

struct Fibre {
  std::jmp_buf place;
  std::unique_ptr<std::byte[]> stack;
  State state = State::kEnded;
};

constexpr std::size_t kStack = 128 << 10;
constexpr unsigned kWarp = 32;

Order order = Order::kForward;
std::deque<Fibre> fibres;                             // they stay where they are
std::vector<std::array<std::uint64_t, kWarp>> slots;  // by warp
std::jmp_buf scheduler;
Fibre* running = nullptr;
const std::function<void()>* running_kernel = nullptr;

void leave() {
  if (_setjmp(running->place) == 0) _longjmp(scheduler, 1);
}

void body() {
  for (;;) {
    (*running_kernel)();
    running->state = State::kEnded;
    leave();
  }
}

// Makes the fibre one of its own; from then on jumps suffice, which need no system call.
void enter_first(Fibre& fibre) {
  fibre.stack = std::make_unique<std::byte[]>(kStack);
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = fibre.stack.get();
  context.uc_stack.ss_size = kStack;
  context.uc_link = nullptr;
  makecontext(&context, body, 0);
  setcontext(&context);
}

__attribute__((noinline)) void enter(Fibre& fibre) {
  running = &fibre;
  if (_setjmp(scheduler) != 0) return;
  if (fibre.stack)
    _longjmp(fibre.place, 1);
  else
    enter_first(fibre);
}

unsigned in_order(unsigned i, unsigned count) {
  return order == Order::kForward ? i : count - 1 - i;
}

// Threads [first, end) go on where all that have not ended wait at `barrier`. True if any does.
bool release(unsigned first, unsigned end, State barrier) {
  bool any = false;
  for (unsigned t = first; t < end; ++t) {
    if (fibres[t].state == State::kEnded) continue;
    if (fibres[t].state != barrier) return false;
    any = true;
  }
  for (unsigned t = first; any && t < end; ++t)
    if (fibres[t].state == barrier) fibres[t].state = State::kRuns;
  return any;
}

bool release_any(unsigned threads) {
  if (release(0, threads, State::kAtBlockBarrier)) return true;
  bool any = false;
  for (unsigned first = 0; first < threads; first += kWarp)
    any |= release(first, std::min(first + kWarp, threads), State::kAtWarpBarrier);
  return any;
}

void run_block(unsigned threads) {
  for (unsigned t = 0; t < threads; ++t) fibres[t].state = State::kRuns;
  do {
    for (unsigned i = 0; i < threads; ++i) {
      const unsigned t = in_order(i, threads);
      if (fibres[t].state != State::kRuns) continue;
      threadIdx = dim3(t);
      enter(fibres[t]);
    }
  } while (release_any(threads));
  for (unsigned t = 0; t < threads; ++t)
    if (fibres[t].state != State::kEnded) {
      std::fprintf(stderr, "emulator: thread %u of block %u waits for threads that never come\n", t,
                   blockIdx.x);
      std::abort();
    }
}

}  // namespace

void set_order(Order wanted) { order = wanted; }

void wait(Barrier barrier) {
  running->state = barrier == Barrier::kBlock ? State::kAtBlockBarrier : State::kAtWarpBarrier;
  leave();
}

std::uint64_t& slot(unsigned lane) { return slots[threadIdx.x / kWarp][lane]; }

void run_grid(dim3 grid, dim3 block, std::size_t shared, const std::function<void()>& kernel) {
  if (shared > sizeof phalanx::kernels::cuda::dynamic_shared) {
    std::fprintf(stderr, "emulator: a block has less than %zu bytes of shared memory\n", shared);
    std::abort();
  }
  if (fibres.size() < block.x) fibres.resize(block.x);
  slots.resize((block.x + kWarp - 1) / kWarp);
  gridDim = grid;
  blockDim = block;
  running_kernel = &kernel;
  for (unsigned i = 0; i < grid.x; ++i) {
    blockIdx = dim3(in_order(i, grid.x));
    // Not-a-number in every type: whoever reads what was not written shows it.
    std::memset(phalanx::kernels::cuda::dynamic_shared, 0xFF, shared);
    run_block(block.x);
  }
}

}  // namespace emulator

void __trap() {
  std::fprintf(stderr, "emulator: a kernel has found a promise broken\n");
  std::abort();
}
