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
  pass_link();
  const bool wrote = move(out_, sent_, true, passed() - sent_.load());
  const bool read = move(in_, received_, false, queued_in_ - received_.load());
  return wrote || read;
}

// Books what is queued, and lets go what has passed.
void Stream::pass_link() {
  if (link_ == nullptr || out_.empty()) return;
  const TimePoint now = Clock::now();
  while (booked_ < queued_out_) {
    const auto passage = link_->book(queued_out_ - booked_, now);
    asks_again_ = passage.end;
    if (passage.bytes == 0) break;
    booked_ += passage.bytes;
    passages_.push_back({booked_, passage.end});
  }
  for (; !passages_.empty() && passages_.front().end <= now; passages_.pop_front())
    passed_ = passages_.front().bytes;
}

TimePoint Stream::wakes() const {
  if (link_ == nullptr || out_.empty() || failure_) return TimePoint::max();
  const TimePoint asks = booked_ < queued_out_ ? asks_again_ : TimePoint::max();
  return passages_.empty() ? asks : std::min(asks, passages_.front().end);
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
  const bool sends = !out_.empty() && passed() > sent_.load();
  return (!sends ? 0u : static_cast<std::uint32_t>(EPOLLOUT)) |
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

bool Stream::move(std::deque<Part>& parts, std::atomic<std::uint64_t>& moved, bool outward,
                  std::uint64_t limit) {
  bool any = false;
  while (!parts.empty() && limit > 0) {
    std::array<iovec, 16> places;
    std::size_t used = 0;
    for (std::uint64_t room = limit; used < std::min(parts.size(), places.size()) && room > 0;) {
      const std::size_t step = std::min<std::uint64_t>(parts[used].count, room);
      places[used] = {parts[used].bytes, step};
      ++used;
      room -= step;
    }
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
    limit -= static_cast<std::uint64_t>(result);
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
