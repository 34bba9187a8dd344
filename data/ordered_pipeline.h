#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace phalanx::data {

// Results made by several threads, taken by one in the order of their index. At most four results a
// thread are in flight, so that memory is bounded.
template <class Result>
class OrderedPipeline {
 public:
  // Starts `threads` threads that call produce(i) for i in [0, count), several at once.
  OrderedPipeline(std::size_t count, int threads, std::function<Result(std::size_t)> produce)
      : count_(count), produce_(std::move(produce)) {
    const auto workers = static_cast<std::size_t>(std::max(threads, 1));
    slots_.resize(4 * workers);
    for (std::size_t i = 0; i < std::min(workers, count); ++i)
      threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
  // Waits for the calls under way; what has not begun is not made.
  ~OrderedPipeline() {
    for (auto& thread : threads_) thread.request_stop();
  }

  // The next result, made or not yet; throws what its produce threw. To be called `count` times at
  // most.
  Result take() {
    std::unique_lock lock(mutex_);
    Slot& slot = slots_[taken_ % slots_.size()];
    changed_.wait(lock, [&] { return slot.result || slot.error; });
    Slot made = std::exchange(slot, {});
    ++taken_;
    changed_.notify_all();
    if (made.error) std::rethrow_exception(made.error);
    return std::move(*made.result);
  }

 private:
  struct Slot {
    std::optional<Result> result;
    std::exception_ptr error;
  };

  void work(const std::stop_token& stop) {
    while (const auto index = claim(stop)) {
      Slot made;
      try {
        made.result.emplace(produce_(*index));
      } catch (...) {
        made.error = std::current_exception();
      }
      const std::lock_guard lock(mutex_);
      slots_[*index % slots_.size()] = std::move(made);
      changed_.notify_all();
    }
  }

  std::optional<std::size_t> claim(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const bool free_slot = changed_.wait(
        lock, stop, [&] { return claimed_ == count_ || claimed_ < taken_ + slots_.size(); });
    if (!free_slot || stop.stop_requested() || claimed_ == count_) return {};
    return claimed_++;
  }

  std::size_t count_;
  std::function<Result(std::size_t)> produce_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Slot> slots_;  // these three guarded by the mutex
  std::size_t claimed_ = 0;
  std::size_t taken_ = 0;
  std::vector<std::jthread> threads_;  // last: joined before anything they use goes
};

}  // namespace phalanx::data
