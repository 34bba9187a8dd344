#include "comm/nccl/nccl_group.h"

#include <numeric>

#include "base/check.h"

namespace phalanx::comm::nccl {
namespace {

// A slice that goes to a rank, or comes from it.
struct Part {
  void* data;
  std::size_t bytes;
  int rank;
};

void add(std::vector<Part>& parts, const void* data, std::size_t bytes, int rank) {
  if (bytes > 0) parts.push_back({const_cast<void*>(data), bytes, rank});
}

// Slices one after another, a rank each.
std::vector<Part> slices(ConstBuffer all, std::span<const std::size_t> counts) {
  std::vector<Part> parts;
  const auto* begin = static_cast<const std::byte*>(all.data);
  for (std::size_t rank = 0; rank < counts.size(); ++rank) {
    const std::size_t bytes = counts[rank] * element_size(all.type);
    add(parts, begin, bytes, static_cast<int>(rank));
    begin += bytes;
  }
  return parts;
}

// All at once: no order of them can block another. What stays on the rank goes this way as well.
PendingOperation::Launch exchange(std::vector<Part> out, std::vector<Part> in) {
  if (out.empty() && in.empty()) return nullptr;
  return [out = std::move(out), in = std::move(in)](ncclComm_t communicator, cudaStream_t stream) {
    ncclResult_t result = ncclGroupStart();
    const auto add = [&](ncclResult_t added) {
      if (added != ncclSuccess && added != ncclInProgress) result = added;
    };
    for (const Part& part : out)
      add(ncclSend(part.data, part.bytes, ncclUint8, part.rank, communicator, stream));
    for (const Part& part : in)
      add(ncclRecv(part.data, part.bytes, ncclUint8, part.rank, communicator, stream));
    const ncclResult_t ended = ncclGroupEnd();
    return result == ncclSuccess ? ended : result;
  };
}

std::uint64_t line_key(std::uint64_t group, int from, int to) {
  std::uint64_t hash = group;
  for (const int rank : {from, to})
    hash = (hash ^ static_cast<std::uint32_t>(rank)) * 0x100000001b3ull;
  return hash | 1;
}

}  // namespace

NcclGroup::NcclGroup(std::shared_ptr<Engine> engine, std::vector<int> ranks, int index,
                     std::uint64_t key)
    : engine_(std::move(engine)),
      ranks_(std::move(ranks)),
      index_(index),
      key_(key),
      channel_(engine_->open(ranks_, key)) {}

std::span<std::byte> NcclGroup::allocate(std::size_t bytes) {
  return engine_->allocate(*channel_, bytes);
}

Work NcclGroup::all_reduce(Buffer data, Reduction reduction) {
  return start(Operation::kAllReduce, data.bytes(), [=](ncclComm_t communicator, cudaStream_t to) {
    return ncclAllReduce(data.data, data.data, data.count, nccl_type(data.type),
                         nccl_reduction(reduction), communicator, to);
  });
}

Work NcclGroup::reduce_scatter(ConstBuffer data, Buffer result, Reduction reduction) {
  check(data.type == result.type && data.count == result.count * ranks_.size(),
        "reduce_scatter: data holds size() slices of result.count");
  return start(
      Operation::kReduceScatter, data.bytes(), [=](ncclComm_t communicator, cudaStream_t to) {
        return ncclReduceScatter(data.data, result.data, result.count, nccl_type(data.type),
                                 nccl_reduction(reduction), communicator, to);
      });
}

Work NcclGroup::all_gather(ConstBuffer data, Buffer result) {
  check(data.type == result.type && result.count == data.count * ranks_.size(),
        "all_gather: result holds size() slices of data.count");
  return start(Operation::kAllGather, data.bytes(), [=](ncclComm_t communicator, cudaStream_t to) {
    return ncclAllGather(data.data, result.data, data.count, nccl_type(data.type), communicator,
                         to);
  });
}

Work NcclGroup::broadcast(Buffer data, int root) {
  check(root >= 0 && root < size(), "broadcast: the root is a rank of the group");
  return start(Operation::kBroadcast, data.bytes(), [=](ncclComm_t communicator, cudaStream_t to) {
    return ncclBroadcast(data.data, data.data, data.count, nccl_type(data.type), root, communicator,
                         to);
  });
}

Work NcclGroup::gather(ConstBuffer data, Buffer result, int root) {
  check(root >= 0 && root < size(), "gather: the root is a rank of the group");
  std::vector<Part> out, in;
  add(out, data.data, data.bytes(), root);
  if (rank() == root) {
    check(data.type == result.type && result.count == data.count * ranks_.size(),
          "gather: on the root, result holds size() slices of data.count");
    in = slices(result, std::vector(ranks_.size(), data.count));
  }
  return start(Operation::kGather, data.bytes(), exchange(std::move(out), std::move(in)));
}

Work NcclGroup::scatter(ConstBuffer data, Buffer result, int root) {
  check(root >= 0 && root < size(), "scatter: the root is a rank of the group");
  std::vector<Part> out, in;
  add(in, result.data, result.bytes(), root);
  if (rank() == root) {
    check(data.type == result.type && data.count == result.count * ranks_.size(),
          "scatter: on the root, data holds size() slices of result.count");
    out = slices(data, std::vector(ranks_.size(), result.count));
  }
  return start(Operation::kScatter, result.bytes(), exchange(std::move(out), std::move(in)));
}

Work NcclGroup::all_to_all(ConstBuffer data, std::span<const std::size_t> send_counts,
                           Buffer result, std::span<const std::size_t> receive_counts) {
  const auto total = [](std::span<const std::size_t> counts) {
    return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
  };
  check(send_counts.size() == ranks_.size() && receive_counts.size() == ranks_.size(),
        "all_to_all: a count for each rank");
  check(data.type == result.type && total(send_counts) == data.count &&
            total(receive_counts) == result.count,
        "all_to_all: the counts add up to the buffers' elements");
  return start(Operation::kAllToAll, data.bytes(),
               exchange(slices(data, send_counts), slices(result, receive_counts)));
}

Work NcclGroup::barrier() {
  return start(Operation::kBarrier, 0,
               [word = engine_->barrier_word()](ncclComm_t communicator, cudaStream_t to) {
                 return ncclAllReduce(word, word, 1, ncclInt32, ncclSum, communicator, to);
               });
}

Work NcclGroup::start(Operation operation, std::size_t bytes, PendingOperation::Launch launch) {
  // NCCL is not asked for operations without data, on any member.
  if (bytes == 0 && operation != Operation::kBarrier && operation != Operation::kAllToAll)
    launch = nullptr;
  const std::lock_guard lock(mutex_);
  const OperationInfo info{operation, ++sequence_, index_, bytes, -1, key_};
  return Work(engine_->start(channel_, info, std::move(launch)));
}

NcclGroup::Line& NcclGroup::line(int from, int to) {
  Line& line = lines_[{from, to}];
  if (!line.channel)
    line.channel =
        engine_->open({generation_rank(from), generation_rank(to)}, line_key(key_, from, to));
  return line;
}

Work NcclGroup::send(ConstBuffer data, int peer) {
  check(peer >= 0 && peer < size() && peer != rank(),
        "send: the peer is another rank of the group");
  const std::lock_guard lock(mutex_);
  Line& out = line(rank(), peer);
  std::vector<Part> parts;
  add(parts, data.data, data.bytes(), 1);
  const OperationInfo info{Operation::kSend, ++out.sequence,        index_,
                           data.bytes(),     generation_rank(peer), key_};
  return Work(engine_->start(out.channel, info, exchange(std::move(parts), {})));
}

Work NcclGroup::receive(Buffer data, int peer) {
  check(peer >= 0 && peer < size() && peer != rank(),
        "receive: the peer is another rank of the group");
  const std::lock_guard lock(mutex_);
  Line& in = line(peer, rank());
  std::vector<Part> parts;
  add(parts, data.data, data.bytes(), 0);
  const OperationInfo info{Operation::kReceive, ++in.sequence,         index_,
                           data.bytes(),        generation_rank(peer), key_};
  return Work(engine_->start(in.channel, info, exchange({}, std::move(parts))));
}

}  // namespace phalanx::comm::nccl
