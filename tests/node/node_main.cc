// The node's processes for tests: the real keeper and agent, and a controller that only says where
// one is: the first line of the file that ControllerStart.job names.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "base/error.h"
#include "base/frame.h"
#include "base/process.h"
#include "launcher/node/agent.h"
#include "launcher/node/keeper.h"
#include "protocol/messages.pb.h"

namespace phalanx {
namespace {

int run_controller(int fd) {
  set_process_name("phalanx-control");
  FrameChannel keeper{FileDescriptor(fd)};
  Frame frame;
  while (keeper.receive(frame, TimePoint::max()) != FrameChannel::Status::kEnd) {
    protocol::ControllerStart start;
    start.ParseFromString(frame.payload);
    std::string address;
    std::ifstream file(start.job());
    std::getline(file, address);
    if (address == "crash") return 1;
    protocol::ControllerAddress answer;
    answer.set_address(address);
    if (!keeper.send(answer.SerializeAsString())) return 1;
  }
  return 0;
}

int dispatch(const std::string& role) {
  if (role == "keeper") return node::run_keeper(3);
  if (role == "agent") return node::run_agent(3);
  if (role == "controller") return run_controller(3);
  fmt::print(stderr, "error: node_main: expected keeper, agent or controller, found '{}'\n", role);
  return 2;
}

}  // namespace
}  // namespace phalanx

int main(int count, char** arguments) {
  try {
    return phalanx::dispatch(count > 1 ? arguments[1] : "");
  } catch (const phalanx::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
