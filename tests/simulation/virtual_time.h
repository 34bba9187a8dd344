#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>

namespace phalanx::simulation {

// Time that jumps from event to event, and the randomness of one seed.
class VirtualTime {
 public:
  explicit VirtualTime(std::uint64_t seed) : random_(seed) {}

  double now() const { return now_; }
  void after(double seconds, std::function<void()> act) {
    agenda_.emplace(std::pair(now_ + seconds, ++order_), std::move(act));
  }
  // Carries out the next event; false when nothing is left to happen before `end`.
  bool advance(double end) {
    if (agenda_.empty() || agenda_.begin()->first.first > end) return false;
    auto next = agenda_.extract(agenda_.begin());
    now_ = next.key().first;
    next.mapped()();
    return true;
  }

  double uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }
  double exponential(double mean) {
    return std::exponential_distribution<double>(1 / mean)(random_);
  }
  bool chance(double probability) { return uniform(0, 1) < probability; }
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }

 private:
  double now_ = 1000;
  std::uint64_t order_ = 0;
  std::map<std::pair<double, std::uint64_t>, std::function<void()>> agenda_;
  std::mt19937_64 random_;
};

}  // namespace phalanx::simulation
