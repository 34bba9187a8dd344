#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_descriptor.h"

namespace phalanx {

// A message between processes of one host: bytes, and descriptors that travel with them
// (SCM_RIGHTS).
struct Frame {
  std::string payload;
  std::vector<FileDescriptor> descriptors;
};

// Frames over one end of socket_pair(): each is one packet; a payload too large for a packet
// travels in a memory file. At most 16 descriptors. Sending and receiving may happen on different
// threads; each on one thread at a time.
class FrameChannel {
 public:
  FrameChannel() = default;
  explicit FrameChannel(FileDescriptor socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }
  explicit operator bool() const { return static_cast<bool>(socket_); }
  void close() { socket_.reset(); }
  FileDescriptor release() { return std::move(socket_); }

  // Blocks while the peer's queue is full. False when the peer has gone: that is an event, not an
  // error.
  [[nodiscard]] bool send(const std::string& payload, const std::vector<int>& descriptors = {});

  // As send, but returns false as well when the peer's queue is full: for a process that must never
  // wait.
  [[nodiscard]] bool try_send(const std::string& payload, const std::vector<int>& descriptors = {});

  enum class Status { kFrame, kNothingYet, kEnd };
  // The next frame, waiting until `deadline` at most; kNothingYet when none came. Throws
  // SystemError for a packet that is no frame: the peer is broken.
  Status receive(Frame& frame, TimePoint deadline);

 private:
  bool send_packet(const std::string& payload, const std::vector<int>& descriptors, int flags);

  FileDescriptor socket_;
};

}  // namespace phalanx
