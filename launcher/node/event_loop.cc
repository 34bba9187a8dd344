#include "launcher/node/event_loop.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace phalanx::node {

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw SystemError(describe_errno("epoll_create1"));
}

void EventLoop::watch(int fd, std::uint32_t events, Handler handler) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    throw SystemError(describe_errno("epoll_ctl"));
  handlers_[fd] = std::move(handler);
}

void EventLoop::change(int fd, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  check(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0,
        "only a watched descriptor is changed");
}

void EventLoop::forget(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  handlers_.erase(fd);
}

void EventLoop::at(TimePoint when, Handler handler) { timers_.emplace(when, std::move(handler)); }

void EventLoop::run_once() {
  const int timeout = timers_.empty() ? -1 : poll_timeout(timers_.begin()->first);
  std::array<epoll_event, 64> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout);
  if (count < 0 && errno != EINTR) throw SystemError(describe_errno("epoll_wait"));
  for (int i = 0; i < count; ++i) {
    const auto found = handlers_.find(events[static_cast<std::size_t>(i)].data.fd);
    if (found == handlers_.end()) continue;  // forgotten by a handler of this round
    const Handler handler = found->second;   // a copy: it may forget itself
    handler();
  }
  run_timers();
}

// After the descriptors: what has arrived by now counts as in time, also when this process was
// stopped for a while.
void EventLoop::run_timers() {
  const TimePoint now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const Handler handler = std::move(timers_.extract(timers_.begin()).mapped());
    handler();
  }
}

}  // namespace phalanx::node
