#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "comm/buffer.h"

namespace phalanx::comm {

enum class Operation : std::uint32_t {
  kAllReduce,
  kReduceScatter,
  kAllGather,
  kBroadcast,
  kGather,
  kScatter,
  kAllToAll,
  kSend,
  kReceive,
  kBarrier,
};
const char* operation_name(Operation operation);

// How elements of the ranks become one. A maximum or minimum with a not-a-number is not-a-number.
enum class Reduction : std::uint32_t { kSum, kMax, kMin };
const char* reduction_name(Reduction reduction);

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

// A queue of a device's work, as the device's library knows it (cudaStream_t).
struct DeviceStream {
  void* handle = nullptr;
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
  // On a device with streams: what is put on `stream` from now on runs after the operation; the
  // host does not block. On the CPU the same as wait().
  void wait(DeviceStream stream);
  // Finished, or failed (wait() then throws at once).
  bool done() const;

 private:
  std::shared_ptr<State> state_;
};

// An ordered set of ranks. All members start its collectives in the same order, and they finish in
// that order; so do the messages from one rank to another. Collectives, messages of different pairs
// or directions, and several groups run at once. Buffers belong to an operation from its start
// until it is done, and are all of one type, which the backend supports (comm/backend.h).
//
// Where the backend promises the order of sums (Backend::sums), a reduction is bitwise the same for
// any placement of the ranks: a balanced binary tree over group ranks (the left subtree of n ranks
// holds the largest power of two below n). fp32, bf16 and fp16 are accumulated in fp32 and rounded
// once, at the end; all others in their own type (integers wrap).
//
// Sequence numbers count a group's collectives, the same on all members, and apart from them the
// messages of each pair and direction.
//
// Group ranks are 0..size()-1; every operation but send and receive takes part on all of them.
// Two groups may have the same members: each is apart from the other.
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

  // data := the ranks' data reduced.
  virtual Work all_reduce(Buffer data, Reduction reduction = Reduction::kSum) = 0;
  // result := slice rank() of the ranks' data reduced; data holds size() slices of result.count.
  virtual Work reduce_scatter(ConstBuffer data, Buffer result,
                              Reduction reduction = Reduction::kSum) = 0;
  // result := the ranks' data one after another; result holds size() slices of data.count.
  virtual Work all_gather(ConstBuffer data, Buffer result) = 0;
  // data := data of `root`.
  virtual Work broadcast(Buffer data, int root) = 0;
  // On `root`, result := the ranks' data one after another, size() slices of data.count; elsewhere
  // result is empty.
  virtual Work gather(ConstBuffer data, Buffer result, int root) = 0;
  // result := slice rank() of data of `root`, which holds size() slices of result.count; elsewhere
  // data is empty.
  virtual Work scatter(ConstBuffer data, Buffer result, int root) = 0;
  // result := from each rank in turn the slice that it has for this one. data holds a slice for
  // each rank in turn, of send_counts[i] elements, result receive_counts[i] from rank i; what i
  // sends to j is what j receives from i. Both are copied.
  virtual Work all_to_all(ConstBuffer data, std::span<const std::size_t> send_counts, Buffer result,
                          std::span<const std::size_t> receive_counts) = 0;
  // Messages between two ranks arrive in the order they were sent.
  virtual Work send(ConstBuffer data, int peer) = 0;
  virtual Work receive(Buffer data, int peer) = 0;
  virtual Work barrier() = 0;
};

}  // namespace phalanx::comm
