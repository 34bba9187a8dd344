#include "tests/pretend_device/communicator.h"

#include <cstring>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "comm/work.h"
#include "tests/pretend_device/device_memory.h"
#include "tests/pretend_device/host_waits.h"

namespace phalanx::pretend {
namespace {

using comm::Buffer;
using comm::ConstBuffer;
using comm::Operation;
using comm::Reduction;
using comm::Work;

// What the groups of a communicator have allocated.
class Allocations {
 public:
  Allocations() = default;
  Allocations(const Allocations&) = delete;
  Allocations& operator=(const Allocations&) = delete;
  ~Allocations() {
    for (auto* block : blocks_) free_on_device(block);
  }
  std::span<std::byte> zeroed(std::size_t bytes) {
    if (bytes == 0) return {};
    auto* const data = allocate_on_device(bytes);
    std::memset(alias_of(data), 0, bytes);
    const std::lock_guard lock(mutex_);
    blocks_.push_back(data);
    return {data, bytes};
  }

 private:
  std::mutex mutex_;
  std::vector<std::byte*> blocks_;
};

class CountedWork final : public Work::State {
 public:
  explicit CountedWork(Work work) : work_(std::move(work)) {}
  void wait() override {
    ++host_waits().works;
    work_.wait();
  }
  void wait_on(comm::DeviceStream stream) override {
    ++host_waits().ordered;
    work_.wait(stream);
  }
  bool done() const override { return work_.done(); }

 private:
  Work work_;
};

Work counted(Work work) { return Work(std::make_shared<CountedWork>(std::move(work))); }

// A buffer at its alias, for an operation that it may take part in.
template <class AnyBuffer>
AnyBuffer at_alias(AnyBuffer buffer, Operation operation) {
  if (buffer.count == 0) return buffer;
  const auto* const last = static_cast<const std::byte*>(buffer.data) + buffer.bytes() - 1;
  if (!on_device(buffer.data) || !on_device(last))
    check(false, std::string("comm: host memory handed to the device in ") +
                     comm::operation_name(operation));
  buffer.data = alias_of(buffer.data);
  return buffer;
}

class DeviceGroup final : public comm::Group {
 public:
  DeviceGroup(std::shared_ptr<Group> group, Allocations& allocations)
      : group_(std::move(group)), allocations_(allocations) {}

  int rank() const override { return group_->rank(); }
  int size() const override { return group_->size(); }
  std::span<std::byte> allocate(std::size_t bytes) override { return allocations_.zeroed(bytes); }

  Work all_reduce(Buffer data, Reduction reduction) override {
    return counted(group_->all_reduce(at_alias(data, Operation::kAllReduce), reduction));
  }
  Work reduce_scatter(ConstBuffer data, Buffer result, Reduction reduction) override {
    constexpr auto kThis = Operation::kReduceScatter;
    return counted(
        group_->reduce_scatter(at_alias(data, kThis), at_alias(result, kThis), reduction));
  }
  Work all_gather(ConstBuffer data, Buffer result) override {
    constexpr auto kThis = Operation::kAllGather;
    return counted(group_->all_gather(at_alias(data, kThis), at_alias(result, kThis)));
  }
  Work broadcast(Buffer data, int root) override {
    return counted(group_->broadcast(at_alias(data, Operation::kBroadcast), root));
  }
  Work gather(ConstBuffer data, Buffer result, int root) override {
    constexpr auto kThis = Operation::kGather;
    return counted(group_->gather(at_alias(data, kThis), at_alias(result, kThis), root));
  }
  Work scatter(ConstBuffer data, Buffer result, int root) override {
    constexpr auto kThis = Operation::kScatter;
    return counted(group_->scatter(at_alias(data, kThis), at_alias(result, kThis), root));
  }
  Work all_to_all(ConstBuffer data, std::span<const std::size_t> send_counts, Buffer result,
                  std::span<const std::size_t> receive_counts) override {
    constexpr auto kThis = Operation::kAllToAll;
    return counted(group_->all_to_all(at_alias(data, kThis), send_counts, at_alias(result, kThis),
                                      receive_counts));
  }
  Work send(ConstBuffer data, int peer) override {
    return counted(group_->send(at_alias(data, Operation::kSend), peer));
  }
  Work receive(Buffer data, int peer) override {
    return counted(group_->receive(at_alias(data, Operation::kReceive), peer));
  }
  Work barrier() override { return counted(group_->barrier()); }

 private:
  std::shared_ptr<Group> group_;
  Allocations& allocations_;
};

class DeviceCommunicator final : public comm::Communicator {
 public:
  explicit DeviceCommunicator(comm::Communicator& of_the_host) : host_(of_the_host) {}

  std::shared_ptr<comm::Group> make_group(const std::vector<int>& ranks) override {
    return std::make_shared<DeviceGroup>(host_.make_group(ranks), allocations_);
  }
  void abort(int peer, const std::string& reason) override { host_.abort(peer, reason); }

 private:
  Allocations allocations_;
  comm::Communicator& host_;
};

}  // namespace

std::unique_ptr<comm::Communicator> on_pretend_device(comm::Communicator& of_the_host) {
  return std::make_unique<DeviceCommunicator>(of_the_host);
}

}  // namespace phalanx::pretend
