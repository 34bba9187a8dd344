#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "base/clock.h"
#include "base/file_descriptor.h"

namespace phalanx::node {

// One thread that reacts: handlers of descriptors and of moments, called by run_once(). A handler
// must not block; it may watch, forget and schedule as it likes.
class EventLoop {
 public:
  using Handler = std::function<void()>;

  EventLoop();

  // Calls `handler` whenever `fd` is ready for `events` (EPOLLIN, EPOLLOUT), or its peer has gone.
  // The caller forgets the descriptor before closing it.
  void watch(int fd, std::uint32_t events, Handler handler);
  void change(int fd, std::uint32_t events);
  void forget(int fd);

  // Calls `handler` once at `when`. There is no cancelling: handlers look whether they still
  // matter.
  void at(TimePoint when, Handler handler);

  // Waits for something to happen and calls whom it concerns. Throws SystemError.
  void run_once();

 private:
  void run_timers();

  FileDescriptor epoll_;
  std::map<int, Handler> handlers_;
  std::multimap<TimePoint, Handler> timers_;
};

}  // namespace phalanx::node
