#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "comm/group.h"
#include "comm/nccl/engine.h"

namespace phalanx::comm::nccl {

// A group of the backend nccl: checks what it is asked for and hands it to the engine. Its
// collectives run on one communicator; messages on one for each pair and direction, made when the
// first is started at both ends, because NCCL runs what is on one communicator one after another.
class NcclGroup : public Group {
 public:
  // `ranks`: the members' generation ranks; `index` of the group in the generation, for the black
  // box; `key` names the group to its other members.
  NcclGroup(std::shared_ptr<Engine> engine, std::vector<int> ranks, int index, std::uint64_t key);

  int rank() const override { return channel_->rank; }
  int size() const override { return static_cast<int>(ranks_.size()); }
  std::span<std::byte> allocate(std::size_t bytes) override;
  Work all_reduce(Buffer data, Reduction reduction) override;
  Work reduce_scatter(ConstBuffer data, Buffer result, Reduction reduction) override;
  Work all_gather(ConstBuffer data, Buffer result) override;
  Work broadcast(Buffer data, int root) override;
  Work gather(ConstBuffer data, Buffer result, int root) override;
  Work scatter(ConstBuffer data, Buffer result, int root) override;
  Work all_to_all(ConstBuffer data, std::span<const std::size_t> send_counts, Buffer result,
                  std::span<const std::size_t> receive_counts) override;
  Work send(ConstBuffer data, int peer) override;
  Work receive(Buffer data, int peer) override;
  Work barrier() override;

 private:
  struct Line {  // of messages to or from one peer
    std::shared_ptr<Channel> channel;
    std::uint64_t sequence = 0;
  };
  Work start(Operation operation, std::size_t bytes, PendingOperation::Launch launch);
  Line& line(int from, int to);
  int generation_rank(int rank) const { return ranks_[static_cast<std::size_t>(rank)]; }

  std::shared_ptr<Engine> engine_;
  std::vector<int> ranks_;
  int index_;
  std::uint64_t key_;
  std::shared_ptr<Channel> channel_;
  std::mutex mutex_;  // operations start from any thread, in one order
  std::uint64_t sequence_ = 0;
  std::map<std::pair<int, int>, Line> lines_;  // by the ranks from which and to which
};

}  // namespace phalanx::comm::nccl
