#include "launcher/control/event_queue.h"

#include <sys/eventfd.h>

#include "base/error.h"

namespace phalanx::control {

EventQueue::EventQueue() : readable_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!readable_) throw SystemError(describe_errno("eventfd"));
}

bool EventQueue::post(Task task) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  tasks_.push_back(std::move(task));
  if (tasks_.size() == 1) ::eventfd_write(readable_.get(), 1);
  return true;
}

void EventQueue::run_waiting() {
  std::deque<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    eventfd_t count = 0;
    ::eventfd_read(readable_.get(), &count);
    tasks.swap(tasks_);
  }
  for (Task& task : tasks) task();
}

void EventQueue::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  run_waiting();
}

}  // namespace phalanx::control
