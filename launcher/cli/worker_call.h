#pragma once

#include <string>

#include "base/frame.h"

namespace phalanx::launcher {

// What only the worker's program can do, because the model is below the Torch line: it gets one
// frame, answers with any number of them, and ends. It dies with us.
class WorkerCall {
 public:
  // `role`: the worker's argument, "--generate".
  WorkerCall(const std::string& role, const std::string& request);

  // The next answer; false when there is none any more.
  bool receive(Frame& frame);
  // Its exit status, 128 + signal if one ended it; it has said why on standard error.
  int wait();

 private:
  FrameChannel channel_;
  pid_t worker_;
};

}  // namespace phalanx::launcher
