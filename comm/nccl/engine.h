#pragma once

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "comm/communicator.h"
#include "comm/native/network.h"
#include "comm/nccl/channel.h"

namespace phalanx::comm::nccl {

// All NCCL communicators of a process in one generation. Operations are launched one at a time, in
// the order in which the process started them; one whose communicator cannot take it yet (still
// forming, or full) lets those of other communicators pass. Communicators never block, so whoever
// holds the lock gives it back soon; a thread watches them, the deadlines, and the connections on
// which their ids came, whose end tells that a process has gone.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  // On the device that is current in the calling thread, one of the host's `devices`.
  Engine(Membership membership, Listener& listener, int devices);
  ~Engine();

  const Membership& membership() const { return membership_; }

  // A communicator of these generation ranks, which forms in the background; `key` names it to all
  // of them.
  std::shared_ptr<Channel> open(const std::vector<int>& ranks, std::uint64_t key);
  // Starts an operation, after all that the device's default stream holds now.
  std::shared_ptr<PendingOperation> start(const std::shared_ptr<Channel>& channel,
                                          const OperationInfo& info,
                                          PendingOperation::Launch launch);
  // Zeroed device memory, registered with the channel's communicator.
  std::span<std::byte> allocate(Channel& channel, std::size_t bytes);
  void* barrier_word() const { return barrier_word_; }  // an int32 in device memory

  void wait(PendingOperation& operation, PendingOperation::Stage stage);  // throws CommError
  void hold(PendingOperation& operation, cudaStream_t stream);            // throws CommError
  void progress();  // as far as it goes without waiting
  // Only the first ending counts.
  void end(const Ending& ending);
  // No thread, communicator or memory is left. Finishes what has been sent; what is still pending
  // fails.
  void close();

 private:
  // launching.cc
  void step();
  void launch_waiting();
  void launch(const std::shared_ptr<PendingOperation>& operation);
  void launched(Channel& channel);
  void register_memory(Channel& channel);
  void settle(Channel& channel);
  void collect(Channel& channel);

  // watching.cc
  void run();
  void watch();
  bool busy() const;
  Task meet(Strand& strand, Channel& channel);
  void step_meeting(Channel& channel, TimePoint now);
  void form(Channel& channel);
  void look_at_deadlines(TimePoint now);
  void judge(TimePoint now);
  std::optional<Ending> suspicion(TimePoint now);

  // ending.cc
  void remember(const Ending& ending);
  void guarded(void (Engine::*step)());
  void tell_others();
  void abort_all();
  void await_streams();
  bool retire();
  bool flushed(TimePoint deadline);
  void fail_pending();

  Membership membership_;  // with every rank on a node of its own: all talk over the network here
  int device_ = 0;
  int most_blocks_ = 0;  // sharing.h
  void* barrier_word_ = nullptr;
  Recorder recorder_;
  Doorbell bell_{};
  std::unique_ptr<Network> network_;

  mutable std::mutex ending_mutex_;
  std::optional<Ending> ending_;
  std::atomic<bool> ended_{false};

  // Guarded by mutex_, as is all that touches NCCL:
  std::mutex mutex_;
  std::condition_variable callers_wake_, thread_wakes_;
  std::list<std::shared_ptr<Channel>> channels_;
  std::list<std::shared_ptr<PendingOperation>> waiting_;  // in the order of their start
  std::optional<TimePoint> suspected_since_;
  bool over_ = false;  // nothing touches anybody's buffers any more
  bool closing_ = false;

  std::thread thread_;
};

}  // namespace phalanx::comm::nccl
