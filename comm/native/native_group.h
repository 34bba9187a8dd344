#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "comm/group.h"
#include "comm/native/collective.h"
#include "comm/native/engine.h"
#include "comm/native/message.h"
#include "comm/native/pairwise.h"

namespace phalanx::comm {

// A group of the native backend: checks what it is asked for and hands it to the engine.
// Collectives run in one queue, messages in one per peer and direction.
class NativeGroup : public Group, public std::enable_shared_from_this<NativeGroup> {
 public:
  // `ranks`: the members' generation ranks; `index` of the group in the generation, for the black
  // box; `key` names the group to its other members.
  NativeGroup(std::shared_ptr<Engine> engine, const std::vector<int>& ranks, int index,
              std::uint64_t key);

  int rank() const override { return members_.rank; }
  int size() const override { return static_cast<int>(members_.ranks.size()); }
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
  struct Line {  // of messages with one peer, in one direction
    std::shared_ptr<OperationQueue> queue = std::make_shared<OperationQueue>();
    std::uint64_t sequence = 0;
  };
  void prepare(const Collective& collective);
  Work start(Collective collective);
  Work submit(OperationInfo info, PendingOperation::Body body,
              const std::shared_ptr<OperationQueue>& queue);

  std::shared_ptr<Engine> engine_;
  int index_;
  std::uint64_t key_;
  GroupMembers members_;
  Meeting meeting_;
  Exchange exchange_;
  Messages messages_, pieces_;
  Pairwise pairwise_;
  std::mutex mutex_;  // operations start from any thread, in one order
  Line collectives_;
  std::map<int, Line> sends_, receives_;  // by peer
};

}  // namespace phalanx::comm
