#include "launcher/cli/worker_call.h"

#include <signal.h>

#include <filesystem>
#include <utility>

#include "base/process.h"
#include "base/socket.h"

namespace phalanx::launcher {
namespace {

constexpr int kChannel = 3;

}  // namespace

WorkerCall::WorkerCall(const std::string& role, const std::string& request) {
  auto [ours, theirs] = socket_pair();
  channel_ = FrameChannel(std::move(ours));
  Command command;
  command.program = std::filesystem::path(self_program()).parent_path() / "phalanx-worker";
  command.arguments = {role};
  command.descriptors = {{kChannel, theirs.get()}};
  command.death_signal = SIGKILL;
  worker_ = start_process(command);
  theirs.reset();
  (void)channel_.send(request);  // if it has gone, its status says so
}

bool WorkerCall::receive(Frame& frame) {
  return channel_.receive(frame, TimePoint::max()) == FrameChannel::Status::kFrame;
}

int WorkerCall::wait() {
  const auto status = wait_for(worker_);
  return status.signal != 0 ? 128 + status.signal : status.code;
}

}  // namespace phalanx::launcher
