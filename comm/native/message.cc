#include "comm/native/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace phalanx::comm {

Messages::Messages(Engine& engine, const GroupMembers& members, Meeting& meeting, Post post,
                   std::uint64_t key)
    : engine_(engine),
      members_(members),
      meeting_(meeting),
      post_(post),
      channel_(key + (post == Post::kMessages ? 1 : 2)) {}

int Messages::member_of(int peer) const {
  const Placement& placement = members_.placement;
  const auto& here = placement.nodes[static_cast<std::size_t>(placement.node)];
  const auto found = std::find(here.begin(), here.end(), peer);
  return found == here.end() ? -1 : static_cast<int>(found - here.begin());
}

void Messages::prepare_send(int peer) {
  if (const int member = member_of(peer); member >= 0) meeting_.outgoing(member, post_);
}

Task Messages::send(Strand& strand, std::span<const std::byte> data, int peer,
                    std::uint64_t sequence) {
  if (const int member = member_of(peer); member >= 0) return put(strand, data, member);
  return send_far(strand, data, members_.generation_rank(peer), sequence);
}

Task Messages::receive(Strand& strand, std::span<std::byte> data, int peer,
                       std::uint64_t sequence) {
  if (const int member = member_of(peer); member >= 0) return take(strand, data, member, sequence);
  return receive_far(strand, data, members_.generation_rank(peer), sequence);
}

void Messages::expect(const Header& expected, const Header& found, int rank) const {
  if (found.bytes == expected.bytes && found.sequence == expected.sequence) return;
  throw Ending{CommError::Kind::kMismatch, rank,
               fmt::format("expected message {} of {} bytes, found message {} of {} bytes",
                           expected.sequence, expected.bytes, found.sequence, found.bytes)};
}

// Sends through the slots, or, where the data is in the node's memory, only says where it is and
// waits until the receiver has copied it.
Task Messages::put(Strand& strand, std::span<const std::byte> data, int member) {
  Mailbox& box = meeting_.outgoing(member, post_);
  const int rank = meeting_.rank_of(member);
  const NodeMemory& memory = engine_.memory();
  const bool direct = data.size() > Mailbox::kPayload && memory.holds(data.data(), data.size());
  std::size_t done = 0;
  std::uint64_t written = box.written.load();
  do {
    co_await strand.until(box.read, written < Mailbox::kSlots ? 0 : written + 1 - Mailbox::kSlots,
                          rank);
    Mailbox::Slot& slot = box.slots[written % Mailbox::kSlots];
    slot.bytes = data.size();
    slot.place = direct ? memory.offset_of(data.data()) : 0;
    const std::size_t step = direct ? data.size() : std::min(data.size() - done, Mailbox::kPayload);
    if (!direct && step > 0) std::memcpy(slot.payload, data.data() + done, step);
    done += step;
    box.written.store(++written);
    meeting_.ring(member);
  } while (done < data.size());
  if (direct) co_await strand.until(box.read, written, rank);
}

Task Messages::take(Strand& strand, std::span<std::byte> data, int member, std::uint64_t sequence) {
  const int rank = meeting_.rank_of(member);
  co_await meeting_.attach(strand, member);
  co_await strand.until(meeting_.incoming(member, post_), 1, rank);
  Mailbox& box = meeting_.at(meeting_.incoming(member, post_).load());
  std::size_t done = 0;
  std::uint64_t read = box.read.load();
  do {
    co_await strand.until(box.written, read + 1, rank);
    const Mailbox::Slot& slot = box.slots[read % Mailbox::kSlots];
    expect({sequence, data.size()}, {sequence, slot.bytes}, rank);
    const std::size_t step =
        slot.place != 0 ? data.size() : std::min(data.size() - done, Mailbox::kPayload);
    const std::byte* from =
        slot.place != 0 ? engine_.memory().at<std::byte>(slot.place) : slot.payload;
    if (step > 0) std::memcpy(data.data() + done, from, step);
    done += step;
    box.read.store(++read);
    meeting_.ring(member);
  } while (done < data.size());
}

Task Messages::send_far(Strand& strand, std::span<const std::byte> data, int rank,
                        std::uint64_t sequence) {
  co_await engine_.network().connected(strand, rank, channel_);
  Stream& stream = engine_.network().stream(rank, channel_);
  const Header header{sequence, data.size()};
  stream.send_copy(&header, sizeof header);
  co_await strand.until(stream.sent(), stream.send(data.data(), data.size()), rank, &stream);
}

Task Messages::receive_far(Strand& strand, std::span<std::byte> data, int rank,
                           std::uint64_t sequence) {
  co_await engine_.network().connected(strand, rank, channel_);
  Stream& stream = engine_.network().stream(rank, channel_);
  Header header;
  const std::uint64_t head = stream.receive(&header, sizeof header);
  const std::uint64_t end = stream.receive(data.data(), data.size());
  co_await strand.until(stream.received(), head, rank, &stream);
  expect({sequence, data.size()}, header, rank);
  co_await strand.until(stream.received(), end, rank, &stream);
}

}  // namespace phalanx::comm
