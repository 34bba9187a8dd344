#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace phalanx::comm {

enum class Operation : std::uint32_t {
  kAllReduce,
  kReduceScatter,
  kAllGather,
  kBroadcast,
  kSend,
  kReceive,
  kBarrier,
};
const char* operation_name(Operation operation);

// Why a collective failed. After it nobody touches the buffers of the operation, and the whole
// generation is over: every other collective of every group fails as well.
class CommError : public Error {
 public:
  enum class Kind {
    kPeerDied,  // the peer's process has ended or closed its connection
    kTimeout,   // the peer did not take part before the deadline (stopped, hung, or cut off)
    kAborted,   // the generation was ended from outside: abort()
    kMismatch,  // the peer started another operation, or one of another size: a bug of the caller
  };
  CommError(Kind kind, int peer, Operation operation, std::uint64_t sequence,
            std::uint64_t generation, const std::string& detail);

  Kind kind() const { return kind_; }
  int peer() const { return peer_; }  // rank in the generation of who is to blame; -1: nobody known
  Operation operation() const { return operation_; }
  std::uint64_t sequence() const { return sequence_; }  // from 1, see Group
  std::uint64_t generation() const { return generation_; }

 private:
  Kind kind_;
  int peer_;
  Operation operation_;
  std::uint64_t sequence_;
  std::uint64_t generation_;
};

// A started operation. Movable; dropping one neither waits nor cancels.
class Work {
 public:
  class State;
  Work() = default;
  explicit Work(std::shared_ptr<State> state) : state_(std::move(state)) {}

  // Blocks until the operation has finished on this rank: the result is there and the buffers are
  // the caller's again. Spins briefly, then sleeps. Throws CommError.
  void wait();
  // Finished, or failed (wait() then throws at once).
  bool done() const;

 private:
  std::shared_ptr<State> state_;
};

// An ordered set of ranks. All members start its collectives in the same order, and they finish in
// that order; so do the messages from one rank to another. Collectives, messages of different pairs
// or directions, and several groups run at once. Buffers belong to an operation from its start
// until it is done. Elements are fp32.
//
// Sums are bitwise the same for any placement of the ranks: a balanced binary tree over group ranks
// (the left subtree of n ranks holds the largest power of two below n), accumulated in fp32.
//
// Sequence numbers count a group's collectives, the same on all members, and apart from them the
// messages of each pair and direction.
//
// Group ranks are 0..size()-1; every operation but send and receive takes part on all of them.
class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Zeroed memory of `bytes` bytes, 64-byte aligned, registered for direct access by the group's
  // members; it lives as long as the communicator. All members allocate in the same order and size.
  // Operations on it need no copy; operations on any other memory work as well. Throws SystemError
  // when the generation's memory is used up.
  virtual std::span<std::byte> allocate(std::size_t bytes) = 0;

  // data := sum over ranks of data.
  virtual Work all_reduce(std::span<float> data) = 0;
  // result := slice rank() of the sum over ranks of data; data holds size() slices of
  // result.size().
  virtual Work reduce_scatter(std::span<const float> data, std::span<float> result) = 0;
  // result := the ranks' data one after another; result holds size() slices of data.size().
  virtual Work all_gather(std::span<const float> data, std::span<float> result) = 0;
  // data := data of `root`.
  virtual Work broadcast(std::span<float> data, int root) = 0;
  // Messages between two ranks arrive in the order they were sent.
  virtual Work send(std::span<const float> data, int peer) = 0;
  virtual Work receive(std::span<float> data, int peer) = 0;
  virtual Work barrier() = 0;
};

}  // namespace phalanx::comm
