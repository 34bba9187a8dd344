#include "comm/native/poller.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/short_turns.h"

namespace phalanx::comm {

Poller::Poller(Doorbell& bell)
    : bell_(bell), epoll_(::epoll_create1(EPOLL_CLOEXEC)), stop_(::eventfd(0, EFD_CLOEXEC)) {
  if (!epoll_ || !stop_) throw SystemError(describe_errno("epoll_create1, eventfd"));
  epoll_event event{EPOLLIN, {.fd = stop_.get()}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), &event) != 0)
    throw SystemError(describe_errno("epoll_ctl"));
  thread_ = std::thread([this] { run(); });
}

Poller::~Poller() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void Poller::watch(int fd, std::uint32_t events) {
  epoll_event event{events | EPOLLONESHOT, {.fd = fd}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0) return;
  if (errno != ENOENT || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    throw SystemError(describe_errno("epoll_ctl"));
}

void Poller::run() {
  ask_for_short_turns();
  std::array<epoll_event, 64> events;
  while (true) {
    const int ready = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    for (int i = 0; i < ready; ++i)
      if (events[static_cast<std::size_t>(i)].data.fd == stop_.get()) return;
    event_.store(true);
    bell_.ring_always();
  }
}

}  // namespace phalanx::comm
