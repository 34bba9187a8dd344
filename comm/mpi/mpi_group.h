#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "comm/group.h"
#include "comm/mpi/collective.h"
#include "comm/mpi/engine.h"

namespace phalanx::comm {

// A group of the backend mpi: checks what it is asked for and hands it to the engine. Collectives
// run in one queue, messages in one per peer and direction.
class MpiGroup : public Group, public std::enable_shared_from_this<MpiGroup> {
 public:
  // `rank`: ours in the group; `index` of the group in the generation, for the black box; `key`
  // names the group to its other members.
  MpiGroup(std::shared_ptr<MpiEngine> engine, int rank, const std::vector<MpiRoute>& routes,
           int index, std::uint64_t key);

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(routes_.size()); }
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
  struct Line {  // of operations that follow each other
    std::shared_ptr<MpiQueue> queue = std::make_shared<MpiQueue>();
    std::uint64_t sequence = 0;
  };
  Work start(MpiCollective collective);
  Work submit(OperationInfo info, Line& line, MpiOperation::Body body);

  std::shared_ptr<MpiEngine> engine_;
  int rank_;
  std::vector<MpiRoute> routes_;  // by group rank
  int index_;
  std::uint64_t key_;
  MpiCollectives collectives_;
  std::mutex mutex_;  // operations start from any thread, in one order
  Line collective_line_;
  std::map<int, Line> sends_, receives_;  // by peer
};

}  // namespace phalanx::comm
