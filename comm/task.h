#pragma once

#include <coroutine>
#include <exception>
#include <utility>

namespace phalanx::comm {

// A coroutine that starts at once and, awaited, hands its end (and exception) to whoever awaits it.
// Destroying it destroys what it awaits as well: an abandoned operation touches nothing any more.
class [[nodiscard]] Task {
 public:
  struct promise_type {
    std::coroutine_handle<> waiter = std::noop_coroutine();
    std::exception_ptr exception;

    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_never initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct Resume {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          return self.promise().waiter;
        }
        void await_resume() noexcept {}
      };
      return Resume{};
    }
    void return_void() {}
    void unhandled_exception() { exception = std::current_exception(); }
  };

  Task() = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    Task(std::move(other)).swap(*this);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  void swap(Task& other) noexcept { std::swap(handle_, other.handle_); }

  bool done() const { return !handle_ || handle_.done(); }
  // Throws what ended the task, if something did.
  void result() const {
    if (handle_ && handle_.promise().exception) std::rethrow_exception(handle_.promise().exception);
  }

  bool await_ready() const { return done(); }
  void await_suspend(std::coroutine_handle<> waiter) { handle_.promise().waiter = waiter; }
  void await_resume() const { result(); }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace phalanx::comm
