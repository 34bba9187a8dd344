#pragma once

#include <memory>
#include <string>

#include "comm/backend.h"

namespace phalanx::comm {

// A process's door to MPI, which mpirun has started it for: MPI is initialized here, once all of
// mpirun's processes do so. A process takes part in one generation only. Throws SystemError when
// MPI does not allow several threads to take turns.
std::unique_ptr<Endpoint> open_mpi(const std::string& host);

}  // namespace phalanx::comm
