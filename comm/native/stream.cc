#include "comm/native/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/socket.h"

namespace phalanx::comm {

Stream::Stream(StreamSet& all, int peer) : all_(all), peer_(peer) { all_.insert(this); }
Stream::~Stream() { all_.erase(this); }

void Stream::connect(const std::string& host, std::uint16_t port) {
  try {
    socket_ = start_connect_tcp(host, port);
  } catch (const SystemError& error) {
    refused_ = true;
    fail(CommError::Kind::kPeerDied, error.what());
  }
}

void Stream::adopt(FileDescriptor socket) {
  socket_ = std::move(socket);
  set_nonblocking(socket_);
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connected_.store(1);
}

FileDescriptor Stream::release() { return std::exchange(socket_, FileDescriptor()); }

std::uint64_t Stream::send(const void* bytes, std::size_t count) {
  if (count > 0)
    out_.push_back({const_cast<std::byte*>(static_cast<const std::byte*>(bytes)), count, {}});
  return queued_out_ += count;
}

std::uint64_t Stream::receive(void* bytes, std::size_t count) {
  if (count > 0) in_.push_back({static_cast<std::byte*>(bytes), count, {}});
  return queued_in_ += count;
}

void Stream::send_copy(const void* bytes, std::size_t count) {
  const auto* begin = static_cast<const std::byte*>(bytes);
  out_.push_back({nullptr, count, {begin, begin + count}});
  out_.back().bytes = out_.back().copy.data();
  queued_out_ += count;
}

bool Stream::progress() {
  if (failure_ || !socket_) return false;
  if (connected_.load() == 0) return finish_connecting();
  const bool wrote = move(out_, sent_, true);
  const bool read = move(in_, received_, false);
  return wrote || read;
}

void Stream::forget() {
  out_.clear();
  in_.clear();
}

void Stream::fail(CommError::Kind kind, const std::string& detail) {
  if (!failure_) failure_ = Ending{kind, peer_, detail};
  forget();
}

std::uint32_t Stream::interest() const {
  if (failure_ || !socket_) return 0;
  if (connected_.load() == 0) return EPOLLOUT;
  return (out_.empty() ? 0u : static_cast<std::uint32_t>(EPOLLOUT)) |
         (in_.empty() ? 0u : static_cast<std::uint32_t>(EPOLLIN));
}

bool Stream::finish_connecting() {
  pollfd entry{socket_.get(), POLLOUT, 0};
  if (::poll(&entry, 1, 0) <= 0) return false;
  if (const int error = connect_outcome(socket_); error != 0) {
    refused_ = error == ECONNREFUSED;
    errno = error;
    fail(CommError::Kind::kPeerDied, describe_errno("connect"));
  } else {
    connected_.store(1);
  }
  return true;
}

bool Stream::move(std::deque<Part>& parts, std::atomic<std::uint64_t>& moved, bool outward) {
  bool any = false;
  while (!parts.empty()) {
    std::array<iovec, 16> places;
    const std::size_t used = std::min(parts.size(), places.size());
    for (std::size_t i = 0; i < used; ++i) places[i] = {parts[i].bytes, parts[i].count};
    msghdr message{};
    message.msg_iov = places.data();
    message.msg_iovlen = used;
    const ssize_t result = outward ? ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL)
                                   : ::recvmsg(socket_.get(), &message, MSG_DONTWAIT);
    if (result < 0 && errno == EINTR) continue;
    if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return any;
    if (result <= 0) {
      fail(CommError::Kind::kPeerDied,
           result == 0 ? "closed its connection" : describe_errno("its connection"));
      return true;
    }
    any = true;
    moved.fetch_add(static_cast<std::uint64_t>(result));
    for (auto left = static_cast<std::size_t>(result); left > 0;) {
      Part& first = parts.front();
      const std::size_t step = std::min(left, first.count);
      first.bytes += step;
      first.count -= step;
      left -= step;
      if (first.count == 0) parts.pop_front();
    }
  }
  return any;
}

}  // namespace phalanx::comm
