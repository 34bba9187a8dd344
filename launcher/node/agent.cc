#include "launcher/node/agent.h"

#include <signal.h>

#include <memory>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/process.h"
#include "launcher/node/detectors.h"
#include "launcher/node/uplink.h"
#include "protocol/messages.pb.h"

namespace phalanx::node {

using protocol::FromAgent;
using protocol::ToAgent;

namespace {

constexpr Duration kLookEvery = std::chrono::milliseconds(500);

class Agent {
 public:
  explicit Agent(FrameChannel keeper) : keeper_(std::move(keeper)) {}

  // Until the keeper has gone.
  void run();

 private:
  void tell_keeper(const FromAgent& message);
  void on_frame(const Frame& frame);
  void start(const protocol::AgentStart& start);
  void look();

  FrameChannel keeper_;
  std::mutex sending_;  // to the keeper, from this thread and from the uplink's
  Detectors detectors_;
  std::unique_ptr<Uplink> uplink_;
};

void Agent::run() {
  TimePoint next_look = Clock::now();
  while (true) {
    Frame frame;
    const auto status = keeper_.receive(frame, next_look);
    if (status == FrameChannel::Status::kEnd) return;
    if (status == FrameChannel::Status::kFrame) on_frame(frame);
    if (Clock::now() >= next_look) {
      look();
      next_look = Clock::now() + kLookEvery;
    }
  }
}

// That the keeper has gone shows when reading.
void Agent::tell_keeper(const FromAgent& message) {
  const std::lock_guard lock(sending_);
  (void)keeper_.send(message.SerializeAsString());
}

void Agent::on_frame(const Frame& frame) {
  ToAgent message;
  if (!message.ParseFromString(frame.payload))
    throw SystemError("agent: expected a frame ToAgent from the keeper, found another");
  if (message.has_start()) start(message.start());
  if (message.has_controller() && uplink_) uplink_->move_to(message.controller().address());
  if (message.has_report() && uplink_) uplink_->send(std::move(*message.mutable_report()));
  if (message.has_watch() && frame.descriptors.size() == 1)
    detectors_.watch(message.watch().slot(), static_cast<pid_t>(message.watch().pid()),
                     frame.descriptors.front(), Clock::now());
}

void Agent::start(const protocol::AgentStart& start) {
  uplink_ = std::make_unique<Uplink>(Uplink::Identity{start.node(), start.token()},
                                     Uplink::Handlers{[this] {
                                                        FromAgent message;
                                                        message.mutable_reconnected();
                                                        tell_keeper(message);
                                                      },
                                                      [this](const protocol::NodeCommand& command) {
                                                        FromAgent message;
                                                        *message.mutable_command() = command;
                                                        tell_keeper(message);
                                                      }});
  uplink_->move_to(start.controller());
}

void Agent::look() {
  FromAgent alive;
  alive.mutable_alive();
  tell_keeper(alive);
  for (auto& silent : detectors_.look(Clock::now())) {
    FromAgent message;
    *message.mutable_silent() = std::move(silent);
    tell_keeper(message);
  }
}

}  // namespace

int run_agent(int fd) {
  set_process_name("phalanx-agent");
  // A signal to the whole job is phalanx run's to answer, by saving and stopping.
  ignore_signals({SIGINT, SIGTERM, SIGHUP, SIGPIPE});
  Agent(FrameChannel(FileDescriptor(fd))).run();
  return 0;
}

}  // namespace phalanx::node
