// Who does not belong to the generation neither harms nor delays it.
#include <gmock/gmock.h>
#include <sys/socket.h>

#include "base/socket.h"
#include "cluster.h"
#include "comm/native/handshake.h"

namespace phalanx::comm {
namespace {

using Kind = CommError::Kind;
using nlohmann::json;

TimePoint soon() { return Clock::now() + std::chrono::seconds(20); }

template <typename Message>
void send(const FileDescriptor& socket, const Message& message) {
  EXPECT_EQ(::send(socket.get(), &message, sizeof message, MSG_NOSIGNAL),
            static_cast<ssize_t>(sizeof message));
}

// True if the other side closes the connection without another word.
bool is_closed(const FileDescriptor& socket) {
  char byte = 0;
  return ::recv(socket.get(), &byte, 1, 0) <= 0;
}

struct Strangers {
  std::vector<FileDescriptor> all;
  void come(std::uint16_t port) {
    const auto connect = [&]() -> const FileDescriptor& {
      return all.emplace_back(connect_tcp("127.0.0.1", port, soon()));
    };
    connect();  // says nothing
    send(connect(), 'x');
    send(connect(), std::array<std::uint64_t, 500>{1, 2, 3});
    send(connect(), Hello{Hello::kMagic, 77, 0, 1, 2, fresh_nonce()});    // another generation
    send(connect(), Hello{Hello::kMagic, 1, -5, 1, 2, fresh_nonce()});    // no such rank
    send(connect(), Hello{Hello::kMagic, 1, 1000, 1, 2, fresh_nonce()});  // no such rank
    const FileDescriptor& liar = connect();  // a true rank's name, but not the secret
    send(liar, Hello{Hello::kMagic, 1, 0, 1, 2, fresh_nonce()});
    send(liar, Proof{});
  }
};

TEST(CommStranger, GarbageAndForeignConnectionsNeitherHarmNorDelay) {
  Cluster cluster({.scenario = "forms", .nodes = {0, 1, 2}});
  Strangers strangers;
  for (int rank = 0; rank < 3; ++rank) strangers.come(cluster.port(rank));
  cluster.announce_generation({0, 1, 2});
  for (const json& result : cluster.results()) EXPECT_EQ(result.value("sum", 0), 3) << result;
}

TEST(CommStranger, AFloodOfSilentConnectionsDoesNotKeepRanksOut) {
  Cluster cluster({.scenario = "forms", .nodes = {0, 1}});
  std::vector<FileDescriptor> flood;
  for (int i = 0; i < 300; ++i) flood.push_back(connect_tcp("127.0.0.1", cluster.port(1), soon()));
  cluster.announce_generation({0, 1});
  for (const json& result : cluster.results()) EXPECT_EQ(result.value("sum", 0), 2) << result;
}

TEST(CommStranger, AConnectionOfAnOlderGenerationIsDropped) {
  ClusterPlan plan{.scenario = "suffers", .nodes = {0, 1}};
  plan.arguments = {{"operation", "barrier"}, {"when", "before"}, {"victim", 0}, {"count", 1}};
  const auto cluster = start(plan);
  cluster->await_mark(0);  // rank 1 waits for rank 0, and listens
  const auto old = connect_tcp("127.0.0.1", cluster->port(1), soon());
  send(old, Hello{Hello::kMagic, 0, 0, 1, 2, fresh_nonce()});
  EXPECT_TRUE(is_closed(old));
}

TEST(CommStranger, AWrongSecretIsSaidClearly) {
  ClusterPlan plan{.scenario = "forms", .nodes = {0, 1}};
  plan.deadline_ms = 1'000;
  plan.secrets = {{1, "another secret"}};
  const auto results = start(plan)->results();
  expect_error(results[0], Kind::kMismatch, 1);
  EXPECT_THAT(results[0]["comm_error"]["what"].get<std::string>(), testing::HasSubstr("secret"));
  expect_error(results[1], Kind::kTimeout, 0);
  EXPECT_THAT(results[1]["comm_error"]["what"].get<std::string>(), testing::HasSubstr("secret"));
}

}  // namespace
}  // namespace phalanx::comm
