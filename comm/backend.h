#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "comm/communicator.h"

namespace phalanx::comm {

enum class Device { kCpu, kCuda };
const char* device_name(Device device);  // as launch.device in a job

// A backend cannot bring ranks together that are where the job puts them.
class PlacementError : public Error {
 public:
  using Error::Error;
};

// A worker's door to a backend: opened once per process, kept across generations.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  // Where others reach this process: goes into Peer. Port 0: the backend needs none.
  virtual const std::string& host() const = 0;
  virtual std::uint16_t port() const = 0;
  // Takes part in a generation: one at a time. Throws CommError, PlacementError and SystemError.
  virtual std::unique_ptr<Communicator> join(Membership membership) = 0;
  // Takes leave of the other processes, which do so as well, when the last communicator is gone;
  // not needed after a failure.
  virtual void leave() {}
};

// For backends that can do all of it.
inline constexpr std::array kAllTypes{
    ElementType::kFloat32, ElementType::kFloat64, ElementType::kBFloat16, ElementType::kFloat16,
    ElementType::kInt32,   ElementType::kInt64,   ElementType::kUInt8};
inline constexpr std::array kAllOperations{
    Operation::kAllReduce, Operation::kReduceScatter, Operation::kAllGather, Operation::kBroadcast,
    Operation::kGather,    Operation::kScatter,       Operation::kAllToAll,  Operation::kSend,
    Operation::kReceive,   Operation::kBarrier};

// What a backend can do, as data: callers ask this and never for its name.
struct Backend {
  std::string_view name;  // as launch.backend in a job
  std::string_view help;
  std::span<const Device> devices;
  std::span<const ElementType> types;
  std::span<const Operation> operations;
  enum class Reforming { kInProcess, kNeedsNewProcess } reforming;  // after a failure
  // Whether reductions have the order and rounding that Group promises, or those that the backend
  // chooses: then 16-bit sums may be rounded at every step, and a maximum or minimum may lose a
  // not-a-number.
  enum class Sums { kTree, kAnyOrder } sums;
  bool uses_node_memory;  // Membership::node_memory must be there
  // Who starts the processes: the launcher alone, or mpirun, whose environment they need before
  // open().
  enum class Start { kAlone, kMpirun } start;
  // `host`: IPv4 address of this process's node. Throws SystemError.
  std::unique_ptr<Endpoint> (*open)(const std::string& host);

  bool computes_on(std::string_view device) const {
    return std::ranges::find(devices, device, device_name) != devices.end();
  }
  bool has(Operation operation) const {
    return std::find(operations.begin(), operations.end(), operation) != operations.end();
  }
};

// The backends built into this program.
std::span<const Backend> backends();
// The built-in backend of this name, else the one of the plug-in of this name (comm/plugin.h) in
// the first of `folders` that has it. Throws SystemError, naming the files looked for, when there
// is none, or when its plug-in cannot be loaded.
const Backend& find_backend(std::string_view name,
                            std::span<const std::filesystem::path> folders = {});

}  // namespace phalanx::comm
