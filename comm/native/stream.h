#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "comm/ending.h"
#include "comm/native/emulated_link.h"

namespace phalanx::comm {

class Stream;
using StreamSet = std::set<Stream*>;

// A TCP connection that never blocks: bytes to send and places to receive into are queued, and move
// when progress() is called. Counters tell how far they have moved, for strands to wait for.
class Stream {
 public:
  // Joins `all` for its lifetime. `peer`: rank in the generation, -1 not known yet.
  Stream(StreamSet& all, int peer);
  Stream(const Stream&) = delete;
  ~Stream();

  // From now on what is sent passes an emulated link first, which outlives this.
  void send_through(EmulatedLink& link) { link_ = &link; }
  void connect(const std::string& host, std::uint16_t port);
  void adopt(FileDescriptor socket);  // connected
  FileDescriptor release();

  // Both return what sent() or received() will have reached. The bytes stay the caller's and in
  // place until then.
  std::uint64_t send(const void* bytes, std::size_t count);
  std::uint64_t receive(void* bytes, std::size_t count);
  // The same with a copy of the bytes.
  void send_copy(const void* bytes, std::size_t count);

  // Moves what can be moved now; true if something did.
  bool progress();
  // Forgets what is queued: nobody's memory is touched any more.
  void forget();
  // Ends it, for this reason. Only the first reason counts.
  void fail(CommError::Kind kind, const std::string& detail);

  int peer() const { return peer_; }
  int fd() const { return socket_.get(); }
  const std::atomic<std::uint64_t>& connected() const { return connected_; }  // 0 or 1
  const std::atomic<std::uint64_t>& sent() const { return sent_; }            // bytes
  const std::atomic<std::uint64_t>& received() const { return received_; }    // bytes
  const std::optional<Ending>& failure() const { return failure_; }
  bool refused() const { return refused_; }  // nobody listens there
  std::uint32_t interest() const;            // what epoll should watch for
  TimePoint wakes() const;  // when progress() can send more without anything happening before

 private:
  struct Part {
    std::byte* bytes;
    std::size_t count;
    std::vector<std::byte> copy;
  };
  bool finish_connecting();
  void pass_link();
  // Up to `limit` bytes.
  bool move(std::deque<Part>& parts, std::atomic<std::uint64_t>& moved, bool outward,
            std::uint64_t limit);
  std::uint64_t passed() const { return link_ == nullptr ? queued_out_ : passed_; }

  StreamSet& all_;
  int peer_;
  FileDescriptor socket_;
  std::atomic<std::uint64_t> connected_{0}, sent_{0}, received_{0};
  std::uint64_t queued_out_ = 0, queued_in_ = 0;  // all that was ever queued
  std::deque<Part> out_, in_;
  EmulatedLink* link_ = nullptr;
  struct Passage {
    std::uint64_t bytes;  // of all that was ever sent
    TimePoint end;
  };
  std::deque<Passage> passages_;
  std::uint64_t booked_ = 0, passed_ = 0;  // bytes that are on the link or behind it
  TimePoint asks_again_{};
  std::optional<Ending> failure_;
  bool refused_ = false;
};

}  // namespace phalanx::comm
