#include "tests/runtime/watched_group.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "comm/work.h"

namespace phalanx::runtime {
namespace {

using comm::Buffer;
using comm::ConstBuffer;
using comm::Operation;
using comm::Work;

// Works of an operation, and what happens once they are done.
class ThenState : public Work::State {
 public:
  ThenState(std::vector<Work> works, std::function<void()> then)
      : works_(std::move(works)), then_(std::move(then)) {}
  void wait() override {
    for (auto& work : works_) work.wait();
    if (then_) std::exchange(then_, {})();
  }
  bool done() const override {
    return std::ranges::all_of(works_, [](const Work& work) { return work.done(); });
  }

 private:
  std::vector<Work> works_;
  std::function<void()> then_;
};

Work then(std::vector<Work> works, std::function<void()> then) {
  return Work(std::make_shared<ThenState>(std::move(works), std::move(then)));
}

std::span<double> doubles(Buffer buffer) {
  return {static_cast<double*>(buffer.data), buffer.count};
}
std::vector<double> copy(ConstBuffer buffer) {
  if (buffer.data == nullptr) return {};
  const auto* begin = static_cast<const double*>(buffer.data);
  return {begin, begin + buffer.count};
}

}  // namespace

// A group as it is, but for the watch's fault.
class WatchedGroup final : public comm::Group {
 public:
  // Where a tensor is in what the group sums.
  struct Place {
    std::string tensor;
    std::size_t first, count;
  };
  // `tensors`: of the bucket that the group sums, none where it is no bucket's.
  WatchedGroup(std::shared_ptr<Group> group, Watch& watch, WatchedAxis axis,
               std::vector<Place> tensors)
      : group_(std::move(group)),
        watch_(watch),
        axis_(axis),
        tensors_(std::move(tensors)),
        name_(axis_name(axis)) {
    if (!tensors_.empty()) name_ += " of " + tensors_.front().tensor;
    watch_.bytes_[name_] = 0;
  }

  int rank() const override { return group_->rank(); }
  int size() const override { return group_->size(); }
  std::span<std::byte> allocate(std::size_t bytes) override { return group_->allocate(bytes); }

  Work all_reduce(Buffer data, comm::Reduction reduction) override {
    const bool faulty = begins(Operation::kAllReduce, data);
    if (faulty && fault().contribution) fault().contribution(doubles(data));
    return changed(faulty, data, data, [&] { return group_->all_reduce(data, reduction); });
  }
  Work reduce_scatter(ConstBuffer data, Buffer result, comm::Reduction reduction) override {
    return changed(begins(Operation::kReduceScatter, data), data, result,
                   [&] { return group_->reduce_scatter(data, result, reduction); });
  }
  Work all_gather(ConstBuffer data, Buffer result) override {
    return changed(begins(Operation::kAllGather, result), data, result,
                   [&] { return group_->all_gather(data, result); });
  }
  Work broadcast(Buffer data, int root) override {
    begins(Operation::kBroadcast, data);
    return group_->broadcast(data, root);
  }
  Work gather(ConstBuffer data, Buffer result, int root) override {
    begins(Operation::kGather, data);
    return group_->gather(data, result, root);
  }
  Work scatter(ConstBuffer data, Buffer result, int root) override {
    begins(Operation::kScatter, result);
    return group_->scatter(data, result, root);
  }
  Work all_to_all(ConstBuffer data, std::span<const std::size_t> send_counts, Buffer result,
                  std::span<const std::size_t> receive_counts) override {
    for (int peer = 0; peer < size(); ++peer)
      if (peer != rank())
        watch_.sent_[axis_] += static_cast<double>(send_counts[static_cast<std::size_t>(peer)] *
                                                   comm::element_size(data.type));
    return changed(begins(Operation::kAllToAll, data), data, result,
                   [&] { return group_->all_to_all(data, send_counts, result, receive_counts); });
  }
  Work send(ConstBuffer data, int peer) override {
    if (!begins(Operation::kSend, data) || !fault().swapped) {
      if (held_.empty()) return group_->send(data, peer);
      check(held_.size() == data.count, "messages that are swapped are of one size");
      auto first = group_->send(data, peer);
      auto second = group_->send(held_, peer);
      return then({std::move(first), std::move(second)},
                  [kept = std::move(held_)] { /* until it has left */ });
    }
    held_ = copy(data);
    return then({}, nullptr);
  }
  Work receive(Buffer data, int peer) override {
    return changed(begins(Operation::kReceive, data), {}, data,
                   [&] { return group_->receive(data, peer); });
  }
  Work barrier() override { return group_->barrier(); }

 private:
  const Fault& fault() const { return *watch_.fault_; }

  // Of the bytes that begins() is told, how many a rank sends; all_to_all counts its own.
  double sent_of(Operation operation, double bytes) const {
    const double of_others = bytes * (size() - 1) / size();
    switch (operation) {
      case Operation::kAllReduce:
        return 2 * of_others;
      case Operation::kReduceScatter:
      case Operation::kAllGather:
        return of_others;
      case Operation::kSend:
        return bytes;
      default:
        return 0;
    }
  }

  // Counts an operation; whether it is to go wrong.
  bool begins(Operation operation, ConstBuffer moved) {
    watch_.bytes_[name_] += moved.bytes();
    watch_.sent_[axis_] += sent_of(operation, static_cast<double>(moved.bytes()));
    if (!watch_.fault_ || fault().axis != axis_ || fault().operation != operation) return false;
    if (moved.type != comm::ElementType::kFloat64) return false;  // how many rows, and the like
    if (fault().rank >= 0 && fault().rank != watch_.rank_) return false;
    if (!fault().tensor.empty() && !std::ranges::count(tensors_, fault().tensor, &Place::tensor))
      return false;
    const int call = watch_.calls_[{axis_, operation}]++;
    return fault().first <= call && call <= fault().last;
  }

  template <class Start>
  Work changed(bool faulty, ConstBuffer data, Buffer result, const Start& start) {
    // Earlier results are those of calls that were right, and those that will go wrong come later.
    if (!watch_.fault_ || !fault().result || fault().axis != axis_ ||
        result.type != comm::ElementType::kFloat64)
      return start();
    auto given = copy(data), before = copy(result);
    auto work = start();
    return then({std::move(work)}, [this, faulty, source = data.data, result,
                                    given = std::move(given), before = std::move(before)] {
      auto& first = first_[source];
      if (first.empty()) first = copy(result);
      if (!faulty) return;
      const Arrived all{doubles(result), before, given, first, rank(), size()};
      fault().result(fault().tensor_alone ? part(all) : all);
    });
  }

  // Of a sum, what is the fault's tensor's.
  Arrived part(const Arrived& all) const {
    const auto& [tensor, from, count] =
        *std::ranges::find(tensors_, fault().tensor, &Place::tensor);
    return {all.result.subspan(from, count),
            all.before.subspan(from, count),
            all.data.subspan(from, count),
            all.first.subspan(from, count),
            all.rank,
            all.slices};
  }

  std::shared_ptr<Group> group_;
  Watch& watch_;
  WatchedAxis axis_;
  std::vector<Place> tensors_;
  std::string name_;
  std::map<const void*, std::vector<double>> first_;  // results, by the address of the data
  std::vector<double> held_;                          // a message that waits for the next
};

const char* axis_name(WatchedAxis axis) {
  static constexpr const char* kNames[] = {"tensor",   "context",  "expert",
                                           "pipeline", "replicas", "world"};
  return kNames[static_cast<std::size_t>(axis)];
}

void Watch::wrap(MeshGroups& groups) {
  const auto watch = [&](std::shared_ptr<comm::Group>& group, WatchedAxis axis,
                         std::vector<WatchedGroup::Place> tensors = {}) {
    if (group)
      group = std::make_shared<WatchedGroup>(std::move(group), *this, axis, std::move(tensors));
  };
  watch(groups.world, WatchedAxis::kWorld);
  watch(groups.axes.tensor, WatchedAxis::kTensor);
  watch(groups.axes.context, WatchedAxis::kContext);
  watch(groups.axes.expert, WatchedAxis::kExpert);
  watch(groups.pipeline, WatchedAxis::kPipeline);
  for (auto& [bucket, group] : groups.buckets) {
    std::vector<WatchedGroup::Place> tensors;
    for (std::size_t i = 0; i < bucket.held.size(); ++i)
      tensors.push_back({bucket.held[i].name, static_cast<std::size_t>(bucket.flat.offsets[i]),
                         static_cast<std::size_t>(bucket.held[i].elements())});
    watch(group, WatchedAxis::kReplicas, std::move(tensors));
  }
}

}  // namespace phalanx::runtime
