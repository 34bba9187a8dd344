#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "comm/communicator.h"

namespace phalanx::comm {

// Runs `body` on each rank of a generation of the backend native whose ranks are threads of this
// process: rank r is on the (emulated) node nodes[r]. `bytes`: of memory that a rank can register.
// The first failure of a rank ends all of them; throws it when they have ended.
void on_thread_ranks(const std::vector<int>& nodes, std::size_t bytes, Duration deadline,
                     const std::function<void(int rank, Communicator& communicator)>& body);

}  // namespace phalanx::comm
