// How connections come about and prove themselves: handshake.h over streams.
#include <algorithm>

#include "comm/native/network.h"

namespace phalanx::comm {

Task Network::connect(Strand& strand, Stream& stream, std::uint64_t channel) {
  // A peer that is still in an older generation closes the connection; it may be here soon.
  for (Duration pause = std::chrono::milliseconds(1);;
       pause = std::min<Duration>(2 * pause, std::chrono::milliseconds(50))) {
    Attempt outcome = Attempt::kRetry;
    co_await attempt(strand, stream, channel, outcome);
    if (outcome != Attempt::kRetry) co_return;
    co_await strand.within(Clock::now() + pause, never_, 1);
  }
}

Task Network::attempt(Strand& strand, Stream& stream, std::uint64_t channel, Attempt& outcome) {
  const TimePoint deadline = Clock::now() + membership_.deadline;
  const Peer& peer = membership_.peers[static_cast<std::size_t>(stream.peer())];
  Stream trial(all_, -1);
  trial.connect(peer.host, peer.port);
  if (!co_await strand.within(deadline, trial.connected(), 1, &trial)) {
    if (trial.refused()) {
      stream.fail(CommError::Kind::kPeerDied, "nobody listens at its address any more");
      outcome = Attempt::kGone;
    }
    co_return;
  }
  Hello hello{Hello::kMagic, membership_.generation, membership_.rank, peer.rank,
              channel,       fresh_nonce()};
  trial.send(&hello, sizeof hello);
  Challenge challenge;
  std::uint64_t here = trial.receive(&challenge, sizeof challenge);
  if (!co_await strand.within(deadline, trial.received(), here, &trial)) co_return;
  const Code known = prove(membership_.secret, Side::kAccepting, hello, challenge.nonce);
  if (!same_code(known, challenge.code)) {
    stream.fail(CommError::Kind::kMismatch, "cannot prove that it knows this job's secret");
    outcome = Attempt::kGone;
    co_return;
  }
  Proof proof{prove(membership_.secret, Side::kConnecting, hello, challenge.nonce)};
  trial.send(&proof, sizeof proof);
  Welcome welcome;
  here = trial.receive(&welcome, sizeof welcome);
  if (!co_await strand.within(deadline, trial.received(), here, &trial)) co_return;
  stream.adopt(trial.release());
  outcome = Attempt::kDone;
}

bool Network::expected(const Hello& hello) const {
  const int ranks = static_cast<int>(membership_.peers.size());
  if (hello.magic != Hello::kMagic || hello.generation != membership_.generation) return false;
  if (hello.to != membership_.rank || hello.from < 0 || hello.from >= hello.to) return false;
  const auto node = [&](int rank) {
    return membership_.peers[static_cast<std::size_t>(rank)].node;
  };
  return hello.to < ranks && node(hello.from) != node(hello.to);
}

Task Network::welcome(Strand& strand, FileDescriptor socket) {
  const TimePoint deadline = Clock::now() + membership_.deadline;
  Stream guest(all_, -1);
  guest.adopt(std::move(socket));
  Hello hello;
  std::uint64_t here = guest.receive(&hello, sizeof hello);
  if (!co_await strand.within(deadline, guest.received(), here, &guest)) co_return;
  if (!expected(hello)) co_return;
  Challenge challenge{fresh_nonce(), {}};
  challenge.code = prove(membership_.secret, Side::kAccepting, hello, challenge.nonce);
  guest.send(&challenge, sizeof challenge);
  Proof proof;
  here = guest.receive(&proof, sizeof proof);
  const bool proven = co_await strand.within(deadline, guest.received(), here, &guest);
  if (!proven || !same_code(proof.code,
                            prove(membership_.secret, Side::kConnecting, hello, challenge.nonce))) {
    ++refused_;
    co_return;
  }
  Stream& place = stream(hello.from, hello.channel);
  if (place.connected().load() != 0) co_return;
  Welcome welcome;
  const std::uint64_t gone = guest.send(&welcome, sizeof welcome);
  if (!co_await strand.within(deadline, guest.sent(), gone, &guest)) co_return;
  place.adopt(guest.release());
}

}  // namespace phalanx::comm
