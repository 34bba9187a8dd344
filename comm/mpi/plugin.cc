// The plug-in libphalanx-mpi.so (comm/plugin.h).
#include <array>

#include "comm/mpi/communicator.h"

namespace phalanx::comm {
namespace {

constexpr std::array kCpu{Device::kCpu};
constexpr std::array kTypes{ElementType::kFloat32, ElementType::kFloat64, ElementType::kBFloat16,
                            ElementType::kFloat16, ElementType::kInt32,   ElementType::kInt64,
                            ElementType::kUInt8};
constexpr std::array kOperations{
    Operation::kAllReduce, Operation::kReduceScatter, Operation::kAllGather, Operation::kBroadcast,
    Operation::kGather,    Operation::kScatter,       Operation::kAllToAll,  Operation::kSend,
    Operation::kReceive,   Operation::kBarrier};

constexpr Backend kBackend{.name = "mpi",
                           .help = "whatever Open MPI finds between the ranks",
                           .devices = kCpu,
                           .types = kTypes,
                           .operations = kOperations,
                           .reforming = Backend::Reforming::kNeedsNewProcess,
                           .sums = Backend::Sums::kTree,
                           .uses_node_memory = false,
                           .start = Backend::Start::kMpirun,
                           .open = open_mpi};

}  // namespace
}  // namespace phalanx::comm

extern "C" const phalanx::comm::Backend* phalanx_backend() { return &phalanx::comm::kBackend; }
