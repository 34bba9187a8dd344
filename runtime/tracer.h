#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "protocol/messages.pb.h"
#include "protocol/run_directory.h"
#include "protocol/span_ring.h"

namespace phalanx::runtime {

// Writes down what this rank is at in the steps that somebody wants to see, and puts it into the
// trace's folder when the last of them is over. All ranks trace the same steps: a request waits
// until a step's commit has shown that every rank has it. It ends with its generation; who asked
// sees that and asks again. While nobody asks it costs nothing.
class Tracer {
 public:
  // Of a worker on `node`, of the run in `output`.
  Tracer(protocol::RunDirectory output, int node) : output_(std::move(output)), node_(node) {}

  protocol::SpanRing& spans() { return spans_; }

  // Takes in new requests, and begins or ceases to record.
  void begin_step(std::uint64_t generation, std::int64_t step,
                  std::vector<protocol::Trace> requests);
  // Whether a request waits for the other ranks to have it.
  bool waiting() const { return !requests_.empty(); }
  // Writes the traces that are complete. A disk that fails does not end the training: the rank is
  // missing in the trace, and its log says why. `all_wait`: every rank was waiting() in this step,
  // and so all trace from the next one on.
  struct Ended {
    std::int64_t step = 0;
    int rank = 0;
    bool all_wait = false;
  };
  void end_step(const Ended& ended);
  // There are no more steps: writes what there is.
  void finish(int rank);

 private:
  struct Traced {
    std::string id;
    std::int64_t first = 0, last = 0;  // steps
  };
  static constexpr std::size_t kRoom = 1 << 16;  // spans; about 5 MB while a trace is under way

  void follow(std::uint64_t generation);
  void write(const Traced& traced, int rank) const;

  const protocol::RunDirectory output_;
  const int node_;
  protocol::SpanRing spans_{kRoom};
  std::uint64_t generation_ = 0;
  std::deque<protocol::Trace> requests_;  // in the same order on every rank
  std::vector<Traced> traced_;
};

}  // namespace phalanx::runtime
