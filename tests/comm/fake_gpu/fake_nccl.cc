// As much of NCCL as the backend uses, over sockets of this host. It is as unhelpful as NCCL in one
// node: who waits for a process that has gone waits until the communicator is aborted. It is
// strict: a communicator that is asked for something before it is ready for it refuses for ever,
// and so does one with two ranks on a GPU, unless its version (FAKE_NCCL_VERSION, else 2.30.7) and
// the environment allow it.
#include <nccl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "fake_gpu/fake_cuda.h"

namespace {

struct Piece {
  char* data;
  std::size_t bytes;
  int rank;
};

int fake_version() {
  const char* version = std::getenv("FAKE_NCCL_VERSION");
  return version == nullptr ? NCCL_VERSION(2, 30, 7) : std::atoi(version);
}

// An operation: what goes to and comes from others, and what then happens with it.
struct Plan {
  std::vector<Piece> out, in;
  std::function<void()> then = [] {};
};

}  // namespace

struct ncclComm {
  int rank, size, device;
  std::string name;
  std::vector<int> sockets;
  std::atomic<bool> aborted{false}, finalized{false};
  std::atomic<ncclResult_t> state{ncclInProgress};
  std::thread forming;
  Plan plan;  // not yet on its stream
  cudaStream_t stream = nullptr;
  bool planned = false;
  int looks = 0;

  int listener = -1;
  bool crowded = false;

  static sockaddr_un address(const std::string& name, int rank) {
    sockaddr_un address{AF_UNIX, {}};
    std::snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s-%d", name.c_str(), rank);
    return address;
  }

  void form() {
    for (int peer = 0; peer < rank; ++peer) {
      const sockaddr_un there = address(name, peer);
      sockets[peer] = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      while (::connect(sockets[peer], reinterpret_cast<const sockaddr*>(&there), sizeof there) !=
             0) {
        if (aborted) return;
        ::usleep(500);
      }
      if (!introduced(sockets[peer])) return;
    }
    for (int guests = rank + 1; guests < size; ++guests) {
      pollfd ready{listener, POLLIN, 0};
      while (::poll(&ready, 1, 1) == 0)
        if (aborted) return;
      const int guest = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      const auto peer = introduced(guest);
      if (!peer) return;
      sockets[*peer] = guest;
    }
    state = crowded ? ncclInvalidUsage : ncclSuccess;
  }

  // Who is at the other end, once both have said it.
  std::optional<int> introduced(int socket) {
    const int own[] = {rank, device};
    int peer[2];
    if (::send(socket, own, sizeof own, MSG_NOSIGNAL) != sizeof own ||
        ::recv(socket, peer, sizeof peer, MSG_WAITALL) != sizeof peer)
      return {};
    crowded |= peer[1] == device && !sharing_allowed();
    return peer[0];
  }

  static bool sharing_allowed() {
    static const char* allowed = std::getenv("NCCL_MULTI_RANK_GPU_ENABLE");
    return fake_version() >= NCCL_VERSION(2, 30, 0) && allowed != nullptr &&
           std::string(allowed) == "1";
  }

  // Until all has moved, or for ever when a peer has gone, or until aborted.
  void run(Plan& plan) {
    for (Piece& from : plan.out)
      for (Piece& to : plan.in)
        if (from.rank == rank && to.rank == rank && from.bytes > 0) {
          std::memmove(to.data, from.data, from.bytes);
          from.bytes = to.bytes = 0;
        }
    for (bool left = true; left && !aborted;) {
      left = false;
      bool moved = false;
      std::set<std::pair<int, bool>> blocked;  // an earlier piece on the same way comes first
      for (auto* pieces : {&plan.out, &plan.in})
        for (Piece& piece : *pieces) {
          if (piece.bytes == 0) continue;
          left = true;
          const bool outward = pieces == &plan.out;
          if (!blocked.insert({piece.rank, outward}).second) continue;
          const ssize_t count =
              outward ? ::send(sockets[piece.rank], piece.data, piece.bytes,
                               MSG_DONTWAIT | MSG_NOSIGNAL)
                      : ::recv(sockets[piece.rank], piece.data, piece.bytes, MSG_DONTWAIT);
          if (count <= 0) continue;
          piece.data += count;
          piece.bytes -= static_cast<std::size_t>(count);
          moved = true;
        }
      if (left && !moved) ::usleep(50);
    }
    if (!aborted) plan.then();
  }
};

namespace {

thread_local int depth = 0;
thread_local std::map<ncclComm*, std::pair<Plan, cudaStream_t>> grouped;
thread_local std::vector<ncclComm*> dying;

ncclResult_t commit(ncclComm* comm, Plan plan, cudaStream_t stream) {
  if (comm->state != ncclSuccess || comm->finalized) return ncclInvalidUsage;
  comm->plan = std::move(plan);
  comm->stream = stream;
  comm->planned = true;
  comm->looks = 0;
  comm->state = ncclInProgress;
  return ncclInProgress;
}

void bury(ncclComm* comm) {
  comm->aborted = true;
  if (comm->forming.joinable()) comm->forming.join();
  while (comm->stream != nullptr && !comm->stream->idle()) ::usleep(50);
  for (const int socket : comm->sockets) ::close(socket);
  ::close(comm->listener);
  delete comm;
}

std::size_t size_of(ncclDataType_t type) {
  if (type == ncclUint8) return 1;
  if (type == ncclFloat16 || type == ncclBfloat16) return 2;
  return type == ncclInt64 || type == ncclFloat64 ? 8 : 4;
}

template <typename T>
T combine(T left, T right, ncclRedOp_t op) {
  if (op == ncclSum) return static_cast<T>(left + right);
  return op == ncclMax ? std::max(left, right) : std::min(left, right);
}

struct BFloat16 {
  std::uint16_t bits;
  operator float() const {
    const std::uint32_t wide = std::uint32_t{bits} << 16;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
  }
  explicit BFloat16(float value) {
    std::uint32_t wide;
    std::memcpy(&wide, &value, sizeof wide);
    bits = static_cast<std::uint16_t>((wide + 0x7fff + ((wide >> 16) & 1)) >> 16);
  }
};

template <typename T, typename Wide = T>
void reduce(char* into, const char* from, std::size_t count, ncclRedOp_t op) {
  auto* left = reinterpret_cast<T*>(into);
  const auto* right = reinterpret_cast<const T*>(from);
  for (std::size_t i = 0; i < count; ++i)
    left[i] = T(combine<Wide>(static_cast<Wide>(left[i]), static_cast<Wide>(right[i]), op));
}

void reduce(char* into, const char* from, std::size_t count, ncclDataType_t type, ncclRedOp_t op) {
  if (type == ncclFloat32) reduce<float>(into, from, count, op);
  if (type == ncclFloat64) reduce<double>(into, from, count, op);
  if (type == ncclInt32) reduce<std::int32_t>(into, from, count, op);
  if (type == ncclInt64) reduce<std::int64_t>(into, from, count, op);
  if (type == ncclUint8) reduce<std::uint8_t>(into, from, count, op);
  if (type == ncclFloat16) reduce<_Float16, float>(into, from, count, op);
  if (type == ncclBfloat16) reduce<BFloat16, float>(into, from, count, op);
}

// Everybody's slice for `rank` (its only one where stride is 0) comes here and is reduced in order.
ncclResult_t reduction(const void* data, void* result, std::size_t count, std::size_t stride,
                       ncclDataType_t type, ncclRedOp_t op, ncclComm* comm, cudaStream_t stream) {
  const std::size_t bytes = count * size_of(type);
  auto all = std::make_shared<std::vector<char>>(bytes * static_cast<std::size_t>(comm->size));
  auto* input = static_cast<char*>(const_cast<void*>(data));
  Plan plan;
  for (int peer = 0; peer < comm->size; ++peer) {
    plan.out.push_back({input + stride * static_cast<std::size_t>(peer), bytes, peer});
    plan.in.push_back({all->data() + bytes * static_cast<std::size_t>(peer), bytes, peer});
  }
  plan.then = [=, size = comm->size] {
    for (int peer = 1; peer < size; ++peer)
      reduce(all->data(), all->data() + bytes * static_cast<std::size_t>(peer), count, type, op);
    std::memcpy(result, all->data(), bytes);
  };
  return commit(comm, std::move(plan), stream);
}

ncclResult_t message(Piece piece, bool outward, ncclComm* comm, cudaStream_t stream) {
  if (depth == 0) std::abort();  // the backend groups all its messages
  auto& [plan, where] = grouped[comm];
  (outward ? plan.out : plan.in).push_back(piece);
  where = stream;
  return ncclInProgress;
}

}  // namespace

extern "C" {

const char* ncclGetErrorString(ncclResult_t) { return "an error of the fake NCCL"; }
const char* ncclGetLastError(ncclComm_t) { return "nothing more to say"; }

ncclResult_t ncclGetVersion(int* version) { return *version = fake_version(), ncclSuccess; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  std::random_device random;
  std::snprintf(id->internal, sizeof id->internal, "fake-nccl-%08x%08x", random(), random());
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (config->blocking != 0) return ncclInvalidArgument;
  int device = -1;
  if (cudaGetDevice(&device) != cudaSuccess) return ncclUnhandledCudaError;
  *comm = new ncclComm{.rank = rank, .size = size, .device = device, .name = id.internal};
  (*comm)->sockets.assign(static_cast<std::size_t>(size), -1);
  const sockaddr_un here = ncclComm::address(id.internal, rank);
  (*comm)->listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::bind((*comm)->listener, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 ||
      ::listen((*comm)->listener, size) != 0)
    return ncclSystemError;
  (*comm)->forming = std::thread([comm = *comm] { comm->form(); });
  return ncclInProgress;
}

// An operation gets onto its stream while it is being asked for, as by NCCL's own thread.
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
  if (comm->planned && ++comm->looks > 2) {
    comm->stream->put(
        [comm, plan = std::make_shared<Plan>(std::move(comm->plan))] { comm->run(*plan); });
    comm->planned = false;
    comm->state = ncclSuccess;
  }
  *state = comm->state;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() { return ++depth, ncclSuccess; }
ncclResult_t ncclGroupEnd() {
  if (--depth > 0) return ncclSuccess;
  ncclResult_t result = ncclSuccess;
  for (auto& [comm, operation] : grouped)
    result = commit(comm, std::move(operation.first), operation.second);
  grouped.clear();
  for (ncclComm* comm : dying) comm->aborted = true;
  for (ncclComm* comm : dying) bury(comm);
  dying.clear();
  return result;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  if (depth == 0) std::abort();  // NCCL could wait for ever
  return dying.push_back(comm), ncclSuccess;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  if (!comm->finalized) std::abort();
  return ncclCommAbort(comm);
}
ncclResult_t ncclCommFinalize(ncclComm_t comm) { return comm->finalized = true, ncclSuccess; }

ncclResult_t ncclMemAlloc(void** memory, size_t bytes) {
  return cudaMalloc(memory, bytes) == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
}
ncclResult_t ncclMemFree(void* memory) { return cudaFree(memory), ncclSuccess; }
ncclResult_t ncclCommRegister(ncclComm_t comm, void* memory, size_t, void** handle) {
  *handle = memory;
  return comm->state == ncclSuccess ? ncclSuccess : ncclInvalidUsage;
}
ncclResult_t ncclCommDeregister(ncclComm_t, void*) { return ncclSuccess; }

ncclResult_t ncclAllReduce(const void* data, void* result, size_t count, ncclDataType_t type,
                           ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  return reduction(data, result, count, 0, type, op, comm, stream);
}
ncclResult_t ncclReduceScatter(const void* data, void* result, size_t count, ncclDataType_t type,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  return reduction(data, result, count, count * size_of(type), type, op, comm, stream);
}
ncclResult_t ncclAllGather(const void* data, void* result, size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
  const std::size_t bytes = count * size_of(type);
  auto* from = static_cast<char*>(const_cast<void*>(data));
  auto* to = static_cast<char*>(result);
  Plan plan;
  for (int peer = 0; peer < comm->size; ++peer) {
    plan.out.push_back({from, bytes, peer});
    plan.in.push_back({to + bytes * static_cast<std::size_t>(peer), bytes, peer});
  }
  return commit(comm, std::move(plan), stream);
}
ncclResult_t ncclBroadcast(const void* data, void* result, size_t count, ncclDataType_t type,
                           int root, ncclComm_t comm, cudaStream_t stream) {
  const std::size_t bytes = count * size_of(type);
  Plan plan;
  if (comm->rank != root) plan.in.push_back({static_cast<char*>(result), bytes, root});
  for (int peer = 0; comm->rank == root && peer < comm->size; ++peer)
    if (peer != root)
      plan.out.push_back({static_cast<char*>(const_cast<void*>(data)), bytes, peer});
  return commit(comm, std::move(plan), stream);
}
ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, cudaStream_t stream) {
  return message({static_cast<char*>(const_cast<void*>(data)), count * size_of(type), peer}, true,
                 comm, stream);
}
ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return message({static_cast<char*>(data), count * size_of(type), peer}, false, comm, stream);
}
}
