// The plug-in libphalanx-mpi.so (comm/plugin.h).
#include <array>

#include "comm/mpi/communicator.h"

namespace phalanx::comm {
namespace {

constexpr std::array kCpu{Device::kCpu};

constexpr Backend kBackend{.name = "mpi",
                           .help = "whatever Open MPI finds between the ranks",
                           .devices = kCpu,
                           .types = kAllTypes,
                           .operations = kAllOperations,
                           .reforming = Backend::Reforming::kNeedsNewProcess,
                           .sums = Backend::Sums::kTree,
                           .uses_node_memory = false,
                           .start = Backend::Start::kMpirun,
                           .open = open_mpi};

}  // namespace
}  // namespace phalanx::comm

extern "C" const phalanx::comm::Backend* phalanx_backend() { return &phalanx::comm::kBackend; }
