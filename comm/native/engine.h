#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "comm/native/network.h"
#include "comm/native/node_memory.h"
#include "comm/native/strand.h"
#include "comm/native/watch.h"
#include "comm/recorder.h"
#include "comm/work.h"

namespace phalanx::comm {

class Engine;
class PendingOperation;
class Spin;

// Operations that run one after another, in the order they were submitted.
using OperationQueue = std::deque<std::shared_ptr<PendingOperation>>;

// A started operation of the native backend.
class PendingOperation : public Work::State {
 public:
  using Body = std::function<Task(Strand&)>;
  PendingOperation(std::shared_ptr<Engine> engine, const OperationInfo& info, Body body);

  void wait() override;
  bool done() const override { return outcome_.load() != Outcome::kPending; }

 private:
  friend Engine;
  enum class Outcome { kPending, kFinished, kFailed };

  std::shared_ptr<Engine> engine_;
  OperationInfo info_;
  Body body_;
  Strand strand_;
  Recorder::Ticket record_;
  std::shared_ptr<OperationQueue> queue_;
  std::atomic<Outcome> outcome_{Outcome::kPending};
};

// Drives the operations of one rank in one generation. Whoever waits for an operation drives all of
// them; while nobody waits, a thread of the engine's does. Only the one who drives touches
// operations, connections and users' buffers, so an operation that has failed touches nothing.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  // How soon an operation has to move while nobody waits for it: kSoon looks after it at once and
  // leaves the rest to the next wait() or, within a millisecond, to the engine's thread.
  enum class Urgency { kSoon, kNow };

  Engine(Membership membership, Listener& listener);
  ~Engine();

  void start();  // the engine's thread
  // `queue`: the operations that this one comes after.
  void submit(const std::shared_ptr<PendingOperation>& operation,
              std::shared_ptr<OperationQueue> queue, Urgency urgency);
  void wait(PendingOperation& operation);
  // Ends the generation: every pending and future operation fails. From any thread.
  void end(const Ending& ending);
  // Ends it for this rank alone and lets go of memory and connections.
  void close();

  const Membership& membership() const { return membership_; }
  NodeMemory& memory() { return memory_; }
  Network& network() { return *network_; }  // there if the generation has several nodes
  const Watch& watch() const { return watch_; }
  bool crowded() const { return crowded_; }  // more ranks than cores on this host

 private:
  using Stop = std::function<bool()>;
  void run();
  void drive(const Stop& stop);
  void drive_once(std::unique_lock<std::mutex>& lock);
  void look(const Stop& stop, Spin& spin);
  template <typename Drive>
  void guarded(const Drive& drive);
  bool pass();
  void sleep(const Stop& stop);
  bool something_to_do() const;
  void tick(TimePoint now);
  void look_after_stream(const Wait& wait);
  void look_after_peers(TimePoint now);

  bool take_submitted();
  void begin(const std::shared_ptr<PendingOperation>& operation);
  void finish(std::size_t index);
  void remember(const Ending& ending);
  bool adopt_ending();
  void fail_everything();
  void fail(PendingOperation& operation);

  Membership membership_;
  std::vector<int> local_ranks_;
  NodeMemory memory_;
  std::unique_ptr<Network> network_;
  Watch watch_;
  Recorder recorder_;
  bool crowded_;

  // Guarded by mutex_:
  std::mutex mutex_;
  std::condition_variable callers_wake_, thread_wakes_;
  bool driving_ = false;    // somebody has the right to drive
  bool lingering_ = false;  // the engine's thread looks around by itself
  std::uint64_t submissions_ = 0;
  std::vector<std::pair<std::shared_ptr<PendingOperation>, std::shared_ptr<OperationQueue>>>
      submitted_;
  std::optional<Ending> ending_;
  std::atomic<bool> ended_{false}, news_{false};  // ending_ and submitted_ are worth a look
  std::atomic<bool> closing_{false};
  std::atomic<int> callers_{0}, pending_{0};

  // Only for who drives:
  std::vector<std::shared_ptr<PendingOperation>> running_;
  bool failed_ = false;
  TimePoint last_tick_, last_told_;

  std::thread thread_;
};

}  // namespace phalanx::comm
