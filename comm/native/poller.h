#pragma once

#include <thread>

#include "base/file_descriptor.h"
#include "comm/native/doorbell.h"

namespace phalanx::comm {

// Rings a doorbell when a socket has become ready, so that one sleep waits for shared memory and
// sockets alike. Each watch() is for one event.
class Poller {
 public:
  explicit Poller(Doorbell& bell);
  ~Poller();
  void watch(int fd, std::uint32_t events);
  // Whether something became ready since the last call.
  bool take_event() { return event_.exchange(false); }

 private:
  void run();

  Doorbell& bell_;
  FileDescriptor epoll_, stop_;
  std::atomic<bool> event_{false};
  std::thread thread_;
};

}  // namespace phalanx::comm
