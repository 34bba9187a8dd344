#include "comm/native/meeting.h"

namespace phalanx::comm {

Meeting::Meeting(Engine& engine, std::vector<int> members, int self, std::uint64_t key,
                 std::size_t buffers)
    : engine_(engine), members_(std::move(members)), self_(self), key_(key), buffers_(buffers) {
  for (const int rank : members_) places_.push_back(engine_.watch().local_index(rank).value());
  blocks_.resize(members_.size());
  NodeMemory& memory = engine_.memory();
  auto& block = *reinterpret_cast<GroupBlock*>(memory.allocate(sizeof(GroupBlock)).data());
  block.key = key_;
  block.mailboxes = memory.offset_of(
      memory.allocate(2 * members_.size() * sizeof(std::atomic<std::uint64_t>)).data());
  Control& own = memory.own();
  block.next = own.newest_group.load();
  own.newest_group.store(memory.offset_of(&block));
  own.groups.fetch_add(1);
  blocks_[static_cast<std::size_t>(self_)] = &block;
  for (int member = 0; member < size(); ++member) ring(member);
}

std::uint64_t Meeting::find(int member) const {
  const NodeMemory& memory = engine_.memory();
  const Control& control = memory.control(places_[static_cast<std::size_t>(member)]);
  std::uint64_t offset = control.newest_group.load();
  while (offset != 0 && memory.at<GroupBlock>(offset)->key != key_)
    offset = memory.at<GroupBlock>(offset)->next;
  return offset;
}

Task Meeting::attach(Strand& strand) {
  for (int member = 0; member < size(); ++member)
    if (blocks_[static_cast<std::size_t>(member)] == nullptr) co_await attach(strand, member);
}

Task Meeting::attach(Strand& strand, int member) {
  auto& block = blocks_[static_cast<std::size_t>(member)];
  const Control& control = engine_.memory().control(places_[static_cast<std::size_t>(member)]);
  while (block == nullptr) {
    const std::uint64_t groups = control.groups.load();
    if (const std::uint64_t offset = find(member); offset != 0)
      block = engine_.memory().at<GroupBlock>(offset);
    else
      co_await strand.until(control.groups, groups + 1, rank_of(member));
  }
}

std::uint64_t Meeting::post() {
  auto& phase = blocks_[static_cast<std::size_t>(self_)]->phase;
  const std::uint64_t posted = phase.load() + 1;
  phase.store(posted);
  for (int member = 0; member < size(); ++member)
    if (member != self_) ring(member);
  return posted;
}

Task Meeting::all(Strand& strand, std::uint64_t phase) {
  for (int member = 0; member < size(); ++member)
    co_await strand.until(blocks_[static_cast<std::size_t>(member)]->phase, phase, rank_of(member));
}

GroupBlock::Slot& Meeting::slot(int member, std::uint64_t sequence) const {
  return blocks_[static_cast<std::size_t>(member)]->slots[sequence % 2];
}

void Meeting::ensure_staging() {
  const std::lock_guard lock(mutex_);
  GroupBlock& own = *blocks_[static_cast<std::size_t>(self_)];
  if (own.staging.load() != 0) return;
  NodeMemory& memory = engine_.memory();
  own.staging.store(memory.offset_of(memory.allocate(2 * buffers_ * kStaging).data()));
}

std::byte* Meeting::staged_input(int member, std::size_t chunk) const {
  const GroupBlock& block = *blocks_[static_cast<std::size_t>(member)];
  return engine_.memory().at<std::byte>(block.staging.load()) + (chunk % buffers_) * kStaging;
}

std::byte* Meeting::staged_result(int member, std::size_t chunk) const {
  return staged_input(member, chunk) + buffers_ * kStaging;
}

std::atomic<std::uint64_t>* Meeting::mailboxes(int member, Post post) const {
  const auto all = engine_.memory().at<std::atomic<std::uint64_t>>(
      blocks_[static_cast<std::size_t>(member)]->mailboxes);
  return all + static_cast<int>(post) * size();
}

Mailbox& Meeting::outgoing(int member, Post post) {
  NodeMemory& memory = engine_.memory();
  auto& offset = mailboxes(self_, post)[member];
  if (offset.load() == 0) {
    offset.store(memory.offset_of(memory.allocate(sizeof(Mailbox)).data()));
    ring(member);
  }
  return at(offset.load());
}

const std::atomic<std::uint64_t>& Meeting::incoming(int member, Post post) const {
  return mailboxes(member, post)[self_];
}

void Meeting::ring(int member) const {
  engine_.memory().control(places_[static_cast<std::size_t>(member)]).doorbell.ring();
}

}  // namespace phalanx::comm
