#pragma once

#include <vector>

#include "protocol/span_ring.h"
#include "runtime/keeper_link.h"

namespace phalanx::runtime {

// Writes down what this rank is at in the steps that somebody wants to see, and puts it into the
// node's file of each trace when its last step is over. While nobody asks it costs nothing.
class Tracer {
 public:
  // `keeper`, which brings the requests, outlives it.
  explicit Tracer(KeeperLink& keeper) : keeper_(keeper) {}

  protocol::SpanRing& spans() { return spans_; }
  // Begins or ceases to record. A step that is repeated is in the trace each time.
  void begin_step(std::int64_t step);
  // Writes the traces that are complete. A disk that fails does not end the training: the rank is
  // missing in the trace, and its log says why.
  void end_step(std::int64_t step, int rank);
  // Writes what there is of all others.
  void finish(int rank);

 private:
  static constexpr std::size_t kRoom = 1 << 16;  // spans; about 5 MB while a trace is under way

  KeeperLink& keeper_;
  protocol::SpanRing spans_{kRoom};
  std::vector<protocol::Trace> wanted_;
};

}  // namespace phalanx::runtime
