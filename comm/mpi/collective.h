#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "comm/group.h"
#include "comm/mpi/engine.h"
#include "comm/reduction_plan.h"

namespace phalanx::comm {

// How a group's member reaches another.
struct MpiRoute {
  int peer;   // rank in the generation
  int group;  // the same number on both sides, unlike that of any other group of the two
  int tag(Operation operation) const;
};

// A collective as its caller asked for it.
struct MpiCollective {
  Operation operation;
  ConstBuffer data;
  Buffer result;  // of an all_reduce and a broadcast: the same memory
  Reduction reduction = Reduction::kSum;
  int root = 0;
  // Of an all_to_all, by member and one behind: where slices begin, in elements.
  std::vector<std::size_t> send_offsets, receive_offsets;
};

// How one member takes part in its group's collectives, which run one after another. It exchanges
// messages directly with all to whom it owes something; a broadcast goes down a binomial tree.
class MpiCollectives {
 public:
  // `rank`: ours in the group; `routes` by group rank.
  MpiCollectives(MpiEngine& engine, int rank, std::vector<MpiRoute> routes);
  // `collective` stays where it is until the operation is over.
  Task run(MpiOperation& operation, const MpiCollective& collective);

 private:
  using Bytes = std::span<std::byte>;
  using ConstBytes = std::span<const std::byte>;
  struct Dues {  // what is owed to a member, and by it; without a value there is no message
    std::optional<ConstBytes> to;
    std::optional<Bytes> from;
  };
  using DuesOf = std::function<Dues(int member)>;

  Task all_reduce(MpiOperation& operation, const MpiCollective& collective);
  Task all_reduce_pieces(MpiOperation& operation, const MpiCollective& collective);
  Task reduce_scatter(MpiOperation& operation, const MpiCollective& collective);
  Task broadcast(MpiOperation& operation, const MpiCollective& collective);
  Task barrier(MpiOperation& operation);
  Task settle(MpiOperation& operation, Operation of, const DuesOf& dues);
  Dues dues(const MpiCollective& collective, int member) const;
  Bytes staging(int member, std::size_t bytes);
  void send(MpiExchange& exchange, Operation of, int member, ConstBytes data) const;
  void receive(MpiExchange& exchange, Operation of, int member, Bytes data) const;
  void reduce(const MpiCollective& collective, ConstBytes own, Bytes result);
  std::size_t piece() const;
  int size() const { return static_cast<int>(routes_.size()); }

  MpiEngine& engine_;
  int rank_;
  std::vector<MpiRoute> routes_;
  ReductionPlan plan_;
  std::vector<std::byte> staging_;  // what the others have sent, a slot for each
};

}  // namespace phalanx::comm
