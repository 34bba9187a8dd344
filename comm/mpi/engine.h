#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "comm/communicator.h"
#include "comm/ending.h"
#include "comm/mpi/exchange.h"
#include "comm/recorder.h"
#include "comm/task.h"
#include "comm/work.h"

namespace phalanx::comm {

class MpiEngine;
class MpiOperation;

// Operations that run one after another, in the order they were submitted.
using MpiQueue = std::deque<std::shared_ptr<MpiOperation>>;

// A started operation: a coroutine that waits for one exchange of messages after the other.
class MpiOperation : public Work::State {
 public:
  using Body = std::function<Task(MpiOperation&)>;
  MpiOperation(std::shared_ptr<MpiEngine> engine, const OperationInfo& info, Body body);

  void wait() override;
  bool done() const override { return outcome_.load() != Outcome::kPending; }

  // For the body: `co_await operation.all_done(exchange)`.
  auto all_done(Exchange& exchange) {
    struct Waiting {
      MpiOperation& operation;
      Exchange& exchange;
      bool await_ready() { return exchange.advance(); }
      void await_suspend(std::coroutine_handle<> waiter) {
        operation.exchange_ = &exchange;
        operation.waiter_ = waiter;
      }
      void await_resume() {}
    };
    return Waiting{*this, exchange};
  }

 private:
  friend MpiEngine;
  enum class Outcome { kPending, kFinished, kFailed };

  std::shared_ptr<MpiEngine> engine_;
  OperationInfo info_;
  Body body_;  // owns what the task works on
  Task task_;
  bool begun_ = false;
  Exchange* exchange_ = nullptr;  // that the task waits for
  std::coroutine_handle<> waiter_;
  Recorder::Ticket record_;
  std::shared_ptr<MpiQueue> queue_;
  std::atomic<Outcome> outcome_{Outcome::kPending};
};

// All of one rank's calls to MPI in its generation, one at a time (MPI_THREAD_SERIALIZED). Whoever
// waits for an operation drives all of them; while nobody waits, the engine's thread does. MPI has
// no way to sleep until something arrives, so a driver looks again and again, and the longer
// nothing has happened the longer it naps in between. After the first failure MPI is not called any
// more.
class MpiEngine : public std::enable_shared_from_this<MpiEngine> {
 public:
  explicit MpiEngine(Membership membership);
  ~MpiEngine();

  void submit(const std::shared_ptr<MpiOperation>& operation, std::shared_ptr<MpiQueue> queue);
  void wait(MpiOperation& operation);
  // Ends the generation for this rank: every pending and future operation fails.
  void end(const Ending& ending);
  // Ends the thread. False when the process can call MPI no more: something failed or is under way.
  bool close();

  // Memory for a group's members: the process's own, because MPI moves any alike.
  std::span<std::byte> allocate(std::size_t bytes);

  const Membership& membership() const { return membership_; }
  const std::vector<int>& addresses() const { return addresses_; }

 private:
  using Lock = std::unique_lock<std::mutex>;
  void run();
  void drive(Lock& lock, const std::function<bool()>& stop);
  bool pass();
  bool advance(MpiOperation& operation);
  void begin(MpiOperation& operation);
  void conclude(std::size_t index);
  void fail_everything();

  const Membership membership_;
  std::vector<int> addresses_;  // ranks in MPI_COMM_WORLD by generation rank
  Recorder recorder_;

  // Guarded by mutex_, which whoever calls MPI holds:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<MpiOperation>> running_;  // the first of each queue
  std::optional<Ending> ending_;
  int callers_ = 0;
  bool closing_ = false;
  std::vector<std::unique_ptr<void, decltype(&std::free)>> memory_;  // of the groups

  std::thread thread_;
};

}  // namespace phalanx::comm
