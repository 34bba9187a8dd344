#pragma once

#include "comm/group.h"

namespace phalanx::comm {

// What a backend keeps of a started operation. Shared by its Work handles and the backend; outlives
// the communicator if a handle does.
class Work::State {
 public:
  virtual ~State() = default;
  virtual void wait() = 0;
  // Orders a stream; where there are none, blocks.
  virtual void wait_on(DeviceStream) { wait(); }
  virtual bool done() const = 0;
};

}  // namespace phalanx::comm
