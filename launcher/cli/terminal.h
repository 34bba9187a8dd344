#pragma once

#include <cstdint>
#include <string>

#include "launcher/control/control.pb.h"

namespace phalanx::launcher {

// "step 41/200  loss 2.3145  12.3k tokens/s  0:35 left". `tokens_per_second` 0: not known yet.
std::string step_line(const protocol::StepReport& step, std::int64_t steps, double seconds_a_step,
                      double tokens_per_second);

// An event as a person wants to read it; empty when it is none of a person's business. `line`: of
// events.jsonl.
std::string event_line(const std::string& line);

// As much of `text` as fits into a line of so many columns; 0: their number is not known.
std::string fit(const std::string& text, std::size_t columns);

// What a run shows: one line that lives on a terminal, plain lines elsewhere (about twenty over the
// run, and those with a validation loss).
class Terminal {
 public:
  explicit Terminal(int fd);
  void step(const protocol::StepReport& step, std::int64_t steps);
  // A line of its own, above the live one.
  void line(const std::string& text);
  // Leaves the live line as it is and goes below it.
  void finish();

 private:
  // The live line, over what is in its place.
  std::string redrawn() const;
  void write(const std::string& text);

  int fd_;
  bool live_;
  std::string live_line_;
  double seconds_a_step_ = 0;  // smoothed
  std::int64_t newest_tokens_ = 0;
  double tokens_per_second_ = 0;
};

}  // namespace phalanx::launcher
