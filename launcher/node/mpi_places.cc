#include "launcher/node/mpi_places.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/process.h"
#include "base/socket.h"
#include "protocol/run_directory.h"

namespace phalanx::node {
namespace {

// An mpirun that dies this often without a placeholder in between will not get better.
constexpr int kMpirunDeaths = 3;
constexpr Duration kMpirunMemory = std::chrono::minutes(10);
// All keepers of a run begin to listen within moments.
constexpr Duration kTimeToReachKeeper = std::chrono::seconds(60);
// As shells tell that a signal has ended a process.
constexpr int kSignalled = 128;

std::string socket_of(const std::string& name, int node) { return fmt::format("{}{}", name, node); }

Daemon::Program mpirun_program(const protocol::KeeperStart& node) {
  // Ranks may outnumber cores: what waits inside MPI gives way, and nobody is bound to a core.
  // Files of processes that were killed stay behind, so they are where `phalanx run` removes them.
  return {
      .path = node.mpi().program(),
      .arguments = {"--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "--mca",
                    "mpi_yield_when_idle", "1", "--mca", "orte_tmpdir_base", node.mpi().folder(),
                    "--mca", "btl_vader_backing_directory", node.mpi().folder(), "-n",
                    std::to_string(node.mpi().ranks()), self_program(), "mpi-place",
                    node.mpi().socket(), std::to_string(node.slots())},
      .name = "mpirun",
      .log = protocol::RunDirectory(node.output()).daemon_log(node.name(), "mpirun"),
      .end_signal = SIGTERM};  // so that it removes its session's files
}

// The value of NAME in NAME=VALUE lines, as a number. Throws SystemError.
int number_of(std::string_view name, const std::vector<std::string>& environment) {
  for (const std::string& entry : environment) {
    if (!entry.starts_with(name) || entry[name.size()] != '=') continue;
    int value = 0;
    const char* text = entry.data() + name.size() + 1;
    if (std::from_chars(text, entry.data() + entry.size(), value).ec == std::errc()) return value;
  }
  throw SystemError(fmt::format("mpi-place: expected {} in the environment, found none", name),
                    "Open MPI's mpirun sets it; `phalanx run` starts that");
}

bool is_of_mpi(const std::string& entry) {
  constexpr std::string_view kPrefixes[] = {"OMPI_", "PMIX_", "ORTE_", "OPAL_"};
  return std::ranges::any_of(kPrefixes, [&](auto prefix) { return entry.starts_with(prefix); });
}

}  // namespace

MpiPlaces::MpiPlaces(EventLoop& loop, const protocol::KeeperStart& node, Handlers handlers)
    : loop_(loop),
      node_(node),
      handlers_(std::move(handlers)),
      mpirun_(loop, mpirun_program(node), RestartPolicy(kMpirunDeaths, kMpirunMemory),
              {[this] { handlers_.report(mpirun_.started()); }, [](Frame&) {}, [] {},
               handlers_.on_given_up}) {}

void MpiPlaces::start() {
  if (!node_.has_mpi()) return;
  listener_ = listen_local(socket_of(node_.mpi().socket(), node_.node()));
  loop_.watch(listener_.get(), EPOLLIN, [this] { welcome(); });
  if (node_.node() == 0) mpirun_.start();
}

void MpiPlaces::welcome() {
  FileDescriptor connection = accept_local(listener_, TimePoint());
  if (!connection) return;
  const int number = ++arrivals_;
  placeholders_[number].peer = std::make_unique<FramePeer>(
      loop_, FrameChannel(std::move(connection)),
      FramePeer::Handlers{[this, number](Frame& frame) { said(number, frame); },
                          [this, number](const std::string&) { gone(number); }});
}

void MpiPlaces::said(int number, const Frame& frame) {
  Placeholder& placeholder = placeholders_.at(number);
  if (placeholder.state != State::kUnknown || !placeholder.place.ParseFromString(frame.payload))
    return log::error("{}: expected a frame MpiPlace, found another", node_.name());
  placeholder.state = State::kFree;
  mpirun_.forget_deaths();
  handlers_.on_place();
}

// A FramePeer is not to be destroyed by its own handler.
void MpiPlaces::gone(int number) {
  Placeholder& placeholder = placeholders_.at(number);
  const State before = std::exchange(placeholder.state, State::kLeft);
  loop_.at(Clock::now(), [this, number] { placeholders_.erase(number); });
  if (before == State::kTaken) handlers_.on_lost(placeholder.place.slot());
}

const MpiPlaces::Placeholder* MpiPlaces::find(int slot, State state) const {
  for (const auto& [number, placeholder] : placeholders_)
    if (placeholder.state == state && placeholder.place.slot() == slot) return &placeholder;
  return nullptr;
}

MpiPlaces::Placeholder* MpiPlaces::find(int slot, State state) {
  return const_cast<Placeholder*>(std::as_const(*this).find(slot, state));
}

bool MpiPlaces::is_free(int slot) const {
  return !node_.has_mpi() || find(slot, State::kFree) != nullptr;
}

std::vector<std::string> MpiPlaces::take(int slot) {
  Placeholder* placeholder = find(slot, State::kFree);
  if (placeholder == nullptr) return {};
  placeholder->state = State::kTaken;
  const auto& environment = placeholder->place.environment();
  return {environment.begin(), environment.end()};
}

void MpiPlaces::give_back(int slot) {
  if (Placeholder* placeholder = find(slot, State::kTaken)) placeholder->state = State::kFree;
}

void MpiPlaces::leave(int slot, const ExitStatus& status) {
  Placeholder* placeholder = find(slot, State::kTaken);
  if (placeholder == nullptr) return;
  placeholder->state = State::kLeft;
  protocol::MpiPlaceEnd end;
  end.set_code(status.signal == 0 ? status.code : kSignalled + status.signal);
  (void)placeholder->peer->send(end.SerializeAsString());  // if it has gone, so much the better
}

int run_mpi_place(const std::string& socket, int slots,
                  const std::vector<std::string>& environment) {
  set_process_name("phalanx-place");
  die_with_parent(::getppid(), SIGKILL);
  const int rank = number_of("OMPI_COMM_WORLD_RANK", environment);
  protocol::MpiPlace place;
  place.set_slot(rank % slots);
  for (const std::string& entry : environment)
    if (is_of_mpi(entry)) place.add_environment(entry);
  FrameChannel keeper(
      connect_local(socket_of(socket, rank / slots), Clock::now() + kTimeToReachKeeper));
  Frame frame;
  protocol::MpiPlaceEnd end;
  if (!keeper.send(place.SerializeAsString()) ||
      keeper.receive(frame, TimePoint::max()) != FrameChannel::Status::kFrame ||
      !end.ParseFromString(frame.payload))
    return 1;  // the keeper has gone
  return end.code();
}

}  // namespace phalanx::node
