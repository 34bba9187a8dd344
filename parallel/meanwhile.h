#pragma once

#include <functional>
#include <utility>

namespace phalanx::parallel {

// Work that nobody waits for yet: done once, by the first who has something on its way and nothing
// else to do.
class Meanwhile {
 public:
  Meanwhile() = default;
  explicit Meanwhile(std::function<void()> work) : work_(std::move(work)) {}

  void operator()() {
    if (const auto work = std::exchange(work_, {})) work();
  }

 private:
  std::function<void()> work_;
};

// What there is to do while the first and the last of what a pass exchanges are on their way; null:
// nothing.
struct Shade {
  Meanwhile* first = nullptr;
  Meanwhile* last = nullptr;

  void at_first() const {
    if (first) (*first)();
  }
  void at_last() const {
    if (last) (*last)();
  }
};

}  // namespace phalanx::parallel
