#include "comm/native/node_memory.h"

#include <fmt/format.h>

#include <functional>

#include "base/check.h"

namespace phalanx::comm {
namespace {

struct Header {
  std::atomic<std::uint64_t> ending;  // 0: the generation goes on
  std::atomic<std::int64_t> link_free_at;
  std::atomic<std::uint32_t> ranks;  // set by every rank that joins: whom to wake
};

constexpr std::size_t kPage = 4096;
static_assert(sizeof(Header) <= kPage && sizeof(Control) <= kPage);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

std::size_t control_bytes(int ranks) { return kPage * (1 + static_cast<std::size_t>(ranks)); }

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

Header& header_of(std::span<std::byte> mapping) {
  return *reinterpret_cast<Header*>(mapping.data());
}

Control& control_of(std::span<std::byte> mapping, std::size_t local) {
  return *reinterpret_cast<Control*>(mapping.data() + kPage * (1 + local));
}

void ring_ranks(std::span<std::byte> mapping) {
  const std::size_t ranks = header_of(mapping).ranks.load();
  for (std::size_t local = 0; local < ranks; ++local) control_of(mapping, local).doorbell.ring();
}

void end_generation(std::span<std::byte> mapping, CommError::Kind kind, int peer) {
  const std::uint64_t value =
      (static_cast<std::uint64_t>(kind) + 1) << 32 | static_cast<std::uint32_t>(peer + 1);
  std::uint64_t going_on = 0;
  header_of(mapping).ending.compare_exchange_strong(going_on, value);
  ring_ranks(mapping);
}

}  // namespace

std::size_t node_memory_bytes(int ranks_on_node, std::size_t bytes_per_rank) {
  return control_bytes(ranks_on_node) +
         static_cast<std::size_t>(ranks_on_node) * round_up(bytes_per_rank, kPage);
}

void abort_node_memory(std::span<std::byte> mapping, int dead_rank) {
  check(mapping.size() >= kPage, "a node's memory holds at least its header");
  end_generation(mapping, CommError::Kind::kPeerDied, dead_rank);
}

NodeMemory::NodeMemory(const FileDescriptor& file, int ranks, int local_rank)
    : mapping_(file), ranks_(ranks), local_rank_(local_rank) {
  const std::size_t bytes = mapping_.bytes().size();
  if (bytes < node_memory_bytes(ranks, kPage))
    throw SystemError(
        fmt::format("the node's shared memory: expected at least {} bytes for {} "
                    "ranks, found {}",
                    node_memory_bytes(ranks, kPage), ranks, bytes));
  arena_bytes_ = (bytes - control_bytes(ranks)) / static_cast<std::size_t>(ranks) / kPage * kPage;
  header_of(mapping_.bytes()).ranks.store(static_cast<std::uint32_t>(ranks));
}

Control& NodeMemory::control(int local) const {
  return control_of(mapping_.bytes(), static_cast<std::size_t>(local));
}

void NodeMemory::ring_all() const { ring_ranks(mapping_.bytes()); }

std::atomic<std::int64_t>& NodeMemory::link_free_at() const {
  return header_of(mapping_.bytes()).link_free_at;
}

void NodeMemory::end(const Ending& ending) {
  end_generation(mapping_.bytes(), ending.kind, ending.peer);
}

std::optional<Ending> NodeMemory::ending() const {
  const std::uint64_t value = header_of(mapping_.bytes()).ending.load();
  if (value == 0) return std::nullopt;
  return Ending{static_cast<CommError::Kind>((value >> 32) - 1),
                static_cast<std::int32_t>(static_cast<std::uint32_t>(value)) - 1,
                "this node's shared memory says so"};
}

std::span<std::byte> NodeMemory::allocate(std::size_t bytes) {
  const std::size_t size = round_up(bytes, 64);
  const std::lock_guard lock(mutex_);
  if (size > arena_bytes_ - used_)
    throw SystemError(
        fmt::format("shared memory of this rank: expected {} free bytes, found {} of {}", size,
                    arena_bytes_ - used_, arena_bytes_),
        fmt::format("make the node's memory with at least {} bytes per rank", used_ + size));
  const std::size_t start =
      control_bytes(ranks_) + static_cast<std::size_t>(local_rank_) * arena_bytes_ + used_;
  used_ += size;
  return mapping_.bytes().subspan(start, bytes);
}

bool NodeMemory::holds(const void* start, std::size_t bytes) const {
  const std::less_equal<const std::byte*> in_order;
  const auto memory = mapping_.bytes();
  const auto* begin = static_cast<const std::byte*>(start);
  return in_order(memory.data(), begin) && in_order(begin + bytes, memory.data() + memory.size());
}

std::uint64_t NodeMemory::offset_of(const void* place) const {
  return static_cast<std::uint64_t>(static_cast<const std::byte*>(place) - mapping_.bytes().data());
}

}  // namespace phalanx::comm
