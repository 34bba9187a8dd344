#pragma once

#include <deque>
#include <functional>
#include <mutex>

#include "base/file_descriptor.h"

namespace phalanx::control {

// Work that other threads hand to the one that decides. Its descriptor is readable while something
// waits, so that poll(2) can wait for work and for more.
class EventQueue {
 public:
  using Task = std::function<void()>;

  EventQueue();  // throws SystemError
  int fd() const { return readable_.get(); }

  // False when the queue is closed: nobody will run the task.
  bool post(Task task);
  // Runs what waits, on the caller's thread. A task must not throw.
  void run_waiting();
  // Refuses what comes from now on, and runs what waits.
  void close();

 private:
  FileDescriptor readable_;
  std::mutex mutex_;
  std::deque<Task> tasks_;
  bool closed_ = false;
};

}  // namespace phalanx::control
