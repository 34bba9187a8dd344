#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "comm/native/emulated_link.h"
#include "comm/native/handshake.h"
#include "comm/native/listener.h"
#include "comm/native/poller.h"
#include "comm/native/strand.h"
#include "comm/native/stream.h"

namespace phalanx::comm {

// A rank's TCP connections to ranks of other nodes in one generation. One connection per purpose
// (channel), made when first asked for, by the lower of the two ranks; only connections that prove
// to know the job's secret and belong to this generation count. Beside its data connections each
// pair of ranks has a control connection, on which they tell whom they wait for and why the
// generation is over. Driven by one thread at a time.
class Network {
 public:
  static constexpr std::uint64_t kControl = 0;

  // `link`: what data to other nodes passes, if something.
  Network(const Membership& membership, Listener& listener, Doorbell& bell,
          std::optional<EmulatedLink> link = {});

  // The connection for `channel` to a rank of another node.
  Stream& stream(int peer, std::uint64_t channel);
  // Until stream(peer, channel) and the pair's control connection are there.
  Task connected(Strand& strand, int peer, std::uint64_t channel);

  bool progress();
  // Call before sleeping: the doorbell rings when there is something to do. Returns when it has to
  // be called again at the latest.
  TimePoint watch(TimePoint latest);

  // Why an operation that waits for `stream` cannot go on; empty while there is hope. A stream that
  // has closed may have done so because of another rank: its peer gets a moment to say so.
  std::optional<Ending> failure(const Stream& stream, TimePoint now);
  // What a peer said ended the generation.
  std::optional<Ending> told_ending() const { return told_; }
  // Whom `peer` said to wait for since `oldest`; empty if it has not.
  std::optional<int> told_wait(int peer, TimePoint oldest) const;
  std::string refusals() const;

  void tell_wait(int blames);
  void tell_ending(const Ending& ending);
  // No data moves any more.
  void forget_data();

 private:
  using Key = std::pair<int, std::uint64_t>;
  struct ControlMessage {
    enum class Type : std::uint32_t { kWaits, kEnds };
    Type type;
    std::int32_t kind;
    std::int32_t peer;
  };
  struct Control {
    ControlMessage incoming{};
    std::uint64_t expected = 0;  // bytes received when `incoming` is complete
    std::optional<std::pair<int, TimePoint>> waits_for;
  };

  // One attempt to connect: kRetry if the peer may accept a later one.
  enum class Attempt { kDone, kRetry, kGone };
  Task connect(Strand& strand, Stream& stream, std::uint64_t channel);
  Task attempt(Strand& strand, Stream& stream, std::uint64_t channel, Attempt& outcome);
  Task welcome(Strand& strand, FileDescriptor socket);
  bool expected(const Hello& hello) const;

  void accept_waiting();
  bool step_formings();
  bool read_control();
  bool converse(int peer, Control& control);
  void hear(int peer, Control& control);
  void tell(const ControlMessage& message);

  const Membership& membership_;
  Listener& listener_;
  std::optional<EmulatedLink> link_;  // for data; what keeps the generation together is not slowed
  StreamSet all_;
  std::map<Key, std::unique_ptr<Stream>> streams_;
  std::map<int, Control> controls_;
  std::list<Strand> formings_;  // connections being made
  std::list<Strand> guests_;    // connections being accepted
  int refused_ = 0;             // guests that could not prove the secret
  std::optional<Ending> told_;
  std::map<const Stream*, TimePoint> closed_since_;
  std::atomic<std::uint64_t> never_{0};
  Poller poller_;  // last: its thread ends first
};

}  // namespace phalanx::comm
