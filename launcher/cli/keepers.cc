#include "launcher/cli/keepers.h"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/socket.h"
#include "protocol/run_directory.h"

namespace phalanx::launcher {
namespace {

constexpr int kChannel = 3;
constexpr int kLock = 9;  // nobody looks for it there: it is held by being open

FileDescriptor open_log(const std::filesystem::path& path) {
  make_folders(path.parent_path());
  FileDescriptor log(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!log) throw storage_error(path.string() + ": open");
  return log;
}

}  // namespace

Keepers::Keepers(const std::vector<protocol::KeeperStart>& starts, const FileDescriptor& lock) {
  for (const auto& start : starts) {
    auto [ours, theirs] = socket_pair();
    const protocol::RunDirectory run(start.output());
    const auto log = open_log(run.daemon_log(start.name(), "keeper"));
    const FileDescriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    Command command;
    command.program = self_program();
    command.process_name = "phalanx-keeper";
    command.arguments = {"keeper"};
    command.descriptors = {{0, nothing.get()},
                           {1, log.get()},
                           {2, log.get()},
                           {kChannel, theirs.get()},
                           {kLock, lock.get()}};
    command.new_session = true;
    command.death_signal = SIGKILL;  // one that is stopped would never see its channel close
    Keeper keeper{start_process(command), start.name(), FrameChannel(std::move(ours)),
                  start.node()};
    protocol::ToKeeper message;
    *message.mutable_start() = start;
    (void)keeper.channel.send(message.SerializeAsString());  // if it has gone, reap() says so
    keepers_.push_back(std::move(keeper));
  }
}

bool Keepers::all_ended() const {
  return std::ranges::all_of(keepers_, [](const Keeper& keeper) { return keeper.pid == 0; });
}

void Keepers::send_all(const protocol::ToKeeper& message) {
  for (auto& keeper : keepers_)
    if (keeper.pid != 0) (void)keeper.channel.send(message.SerializeAsString());
}

std::optional<protocol::FromKeeper> Keepers::receive(int node) {
  auto& keeper = keepers_[static_cast<std::size_t>(node)];
  Frame frame;
  protocol::FromKeeper message;
  if (!keeper.channel) return std::nullopt;
  const auto status = keeper.channel.receive(frame, Clock::now());
  if (status == FrameChannel::Status::kEnd) keeper.channel.close();
  if (status != FrameChannel::Status::kFrame || !message.ParseFromString(frame.payload))
    return std::nullopt;
  return message;
}

std::vector<Keepers::Death> Keepers::reap() {
  std::vector<Death> deaths;
  while (const auto status = reap_any())
    for (auto& keeper : keepers_)
      if (keeper.pid == status->pid) {
        keeper.pid = 0;
        deaths.push_back({keeper.node, *status});
      }
  return deaths;
}

void Keepers::kill_all() {
  for (const auto& keeper : keepers_)
    if (keeper.pid != 0) ::kill(keeper.pid, SIGKILL);
}

}  // namespace phalanx::launcher
