#pragma once

#include <cstdint>
#include <deque>

namespace phalanx::protocol {

// Exactly-once delivery in order over channels that may break: the sender numbers its messages and
// keeps them until they are acknowledged; after a break it sends what is left again, and the
// receiver drops what it has seen. `Message` has set_sequence() and sequence().
template <class Message>
class Outbox {
 public:
  // Numbers the message (from 1) and keeps it; the reference is valid until the next call.
  const Message& push(Message message) {
    message.set_sequence(++last_);
    return waiting_.emplace_back(std::move(message));
  }
  void acknowledge(std::uint64_t sequence) {
    while (!waiting_.empty() && waiting_.front().sequence() <= sequence) waiting_.pop_front();
  }
  const std::deque<Message>& unacknowledged() const { return waiting_; }

 private:
  std::uint64_t last_ = 0;
  std::deque<Message> waiting_;
};

class Inbox {
 public:
  // True for the next message in order: take it in. False for one seen before, and for one that
  // came too early because another was lost with its channel: both come again.
  bool accept(std::uint64_t sequence) {
    if (sequence != last_ + 1) return false;
    last_ = sequence;
    return true;
  }
  std::uint64_t last() const { return last_; }

 private:
  std::uint64_t last_ = 0;
};

}  // namespace phalanx::protocol
