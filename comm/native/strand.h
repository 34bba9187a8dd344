#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <list>

#include "base/clock.h"
#include "comm/task.h"

namespace phalanx::comm {

class Strand;
class Stream;

// What a strand waits for: that `counter` reaches `target`, or that one of its branches can go on.
// Nothing else can be waited for, so whoever drives strands knows what each waits for, since when,
// and whose fault that is.
struct Wait {
  const std::atomic<std::uint64_t>* counter = nullptr;
  std::uint64_t target = 0;
  int peer = -1;                   // generation rank that makes the counter grow
  const Stream* stream = nullptr;  // the connection it grows by, if it does
  TimePoint deadline;
  bool gives_up = false;  // goes on without it at the deadline or when the stream has closed

  const std::list<Strand>* branches = nullptr;

  bool yields() const { return counter == nullptr && branches == nullptr; }
  bool reached() const;
  // Itself, or what its branches wait for.
  void for_each(const std::function<void(const Wait&)>& look) const;
};

// One line of work of an engine: a task that waits for one thing at a time.
class Strand {
 public:
  explicit Strand(Duration patience) : patience_(patience) {}
  Strand(const Strand&) = delete;

  class Awaiter {
   public:
    Awaiter(Strand& strand, const Wait& wait) : strand_(strand), wait_(wait) {}
    bool await_ready() const { return !wait_.yields() && wait_.reached(); }
    void await_suspend(std::coroutine_handle<> handle) {
      if (!wait_.gives_up) wait_.deadline = Clock::now() + strand_.patience_;
      strand_.wait_ = wait_;
      strand_.resume_ = handle;
    }
    bool await_resume() const { return wait_.reached(); }

   private:
    Strand& strand_;
    Wait wait_;
  };

  // Goes on when the counter, which `peer` makes grow, has reached `target`. If that takes longer
  // than the strand's patience, or the peer has died, the generation ends.
  Awaiter until(const std::atomic<std::uint64_t>& counter, std::uint64_t target, int peer,
                const Stream* stream = nullptr) {
    return {*this, Wait{&counter, target, peer, stream, {}, false}};
  }
  // The same, but resumes with false at the deadline or when the stream has closed.
  Awaiter within(TimePoint deadline, const std::atomic<std::uint64_t>& counter,
                 std::uint64_t target, const Stream* stream = nullptr) {
    return {*this, Wait{&counter, target, -1, stream, deadline, true}};
  }
  // Goes on when one of them can.
  Awaiter any_of(const std::list<Strand>& branches) { return {*this, Wait{.branches = &branches}}; }
  // Lets the other strands go on for once.
  Awaiter yield() { return {*this, Wait{}}; }

  void start(Task task) { task_ = std::move(task); }
  bool done() const { return task_.done(); }
  const Task& task() const { return task_; }
  const Wait& wait() const { return wait_; }
  Duration patience() const { return patience_; }
  void resume() { resume_.resume(); }
  void abandon() { task_ = Task(); }

 private:
  Duration patience_;
  Task task_;
  Wait wait_;
  std::coroutine_handle<> resume_;
};

}  // namespace phalanx::comm
