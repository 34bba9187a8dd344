#include <unistd.h>

#include <cstdlib>
#include <exception>

#include "base/check.h"
#include "base/socket.h"
#include "device/device_memory.h"
#include "rank/scenario.h"

namespace phalanx::comm {

using nlohmann::json;

RankContext::RankContext(FrameChannel channel, const Backend& backend, Endpoint& endpoint)
    : channel_(std::move(channel)), backend_(backend), endpoint_(endpoint) {}

json RankContext::receive(std::vector<FileDescriptor>* descriptors) {
  Frame frame;
  const auto deadline = Clock::now() + std::chrono::minutes(5);
  if (channel_.receive(frame, deadline) != FrameChannel::Status::kFrame) std::_Exit(3);
  if (descriptors != nullptr) *descriptors = std::move(frame.descriptors);
  return json::parse(frame.payload);
}

void RankContext::send(const json& message) {
  if (!channel_.send(message.dump())) std::_Exit(3);
}

void RankContext::mark(const std::string& what) { send({{"mark", what}}); }

void RankContext::await_go() { check(receive().contains("go"), "the test says go"); }

std::vector<int> RankContext::everybody() const {
  std::vector<int> ranks;
  for (int rank = 0; rank < size_; ++rank) ranks.push_back(rank);
  return ranks;
}

std::unique_ptr<Communicator> RankContext::join() {
  std::vector<FileDescriptor> descriptors;
  const json roster = receive(&descriptors);
  Membership membership;
  membership.generation = roster["generation"];
  membership.rank = rank_ = roster["rank"];
  membership.secret = roster["secret"];
  membership.deadline = std::chrono::milliseconds(roster["deadline_ms"]);
  membership.link = {roster["bytes_per_second"],
                     std::chrono::duration_cast<Duration>(
                         std::chrono::duration<double>(roster["latency"].get<double>()))};
  for (const json& peer : roster["peers"])
    membership.peers.push_back({static_cast<int>(membership.peers.size()), peer["node"],
                                peer["host"], peer["port"], peer["slot"]});
  size_ = static_cast<int>(membership.peers.size());
  arguments_ = roster["arguments"];
  membership.node_memory = std::move(descriptors.at(0));
  box_ = std::make_unique<MemoryMapping>(descriptors.at(1));
  membership.black_box = &protocol::black_box_in(box_->bytes());
  membership.spans = &spans_;
  own_memory().use_in_turn(membership.peers[static_cast<std::size_t>(rank_)].slot);
  return endpoint_.join(std::move(membership));
}

json describe(const CommError& error) {
  return {{"kind", static_cast<int>(error.kind())},
          {"peer", error.peer()},
          {"operation", operation_name(error.operation())},
          {"sequence", error.sequence()},
          {"generation", error.generation()},
          {"what", error.what()}};
}

json perform(const std::string& name, RankContext& context) {
  try {
    for (const auto* scenarios :
         {&operation_scenarios(), &behaviour_scenarios(), &failure_scenarios()})
      if (const auto found = scenarios->find(name); found != scenarios->end())
        return found->second(context);
    return {{"error", "no scenario " + name}};
  } catch (const CommError& error) {
    return {{"comm_error", describe(error)}};
  } catch (const std::exception& error) {
    return {{"error", error.what()}};
  }
}

}  // namespace phalanx::comm

// comm_rank BACKEND SCENARIO PLUGINS [SOCKET]: the channel to the test is descriptor 3, or made by
// connecting to SOCKET, where mpirun has started us.
int main(int count, char** arguments) {
  using namespace phalanx;
  FrameChannel channel;
  if (count == 4) {
    channel = FrameChannel(FileDescriptor(3));
  } else {
    channel = FrameChannel(connect_local(arguments[4], Clock::now() + std::chrono::minutes(1)));
    const int rank = std::atoi(std::getenv("OMPI_COMM_WORLD_RANK"));
    check(channel.send(nlohmann::json{{"rank", rank}}.dump()), "the test listens");
  }
  const std::filesystem::path plugins[] = {arguments[3]};
  const comm::Backend& backend = comm::find_backend(arguments[1], plugins);
  comm::set_own_memory(comm::device_memory(backend.devices.front(), arguments[3]));
  const auto endpoint = backend.open("127.0.0.1");
  comm::RankContext context(std::move(channel), backend, *endpoint);
  context.send({{"host", endpoint->host()}, {"port", endpoint->port()}});
  const auto result = comm::perform(arguments[2], context);
  check(comm::own_memory().ok(), "the device's memory can be allocated and copied");
  context.send({{"result", result}});
  endpoint->leave();
  return 0;
}
