#include "comm/native/network.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>

namespace phalanx::comm {
namespace {

// How long a peer whose connection closed may take to say why (its messages travel apart).
constexpr Duration kLastWords = std::chrono::milliseconds(100);
// More than this many unproven guests at once: the oldest goes.
constexpr std::size_t kMaxGuests = 64;

}  // namespace

Network::Network(const Membership& membership, Listener& listener, Doorbell& bell,
                 std::optional<EmulatedLink> link)
    : membership_(membership), listener_(listener), link_(link), poller_(bell) {}

Stream& Network::stream(int peer, std::uint64_t channel) {
  auto& stream = streams_[{peer, channel}];
  if (stream) return *stream;
  stream = std::make_unique<Stream>(all_, peer);
  if (channel != kControl && link_) stream->send_through(*link_);
  if (channel == kControl) {
    Control& control = controls_[peer];
    control.expected = stream->receive(&control.incoming, sizeof control.incoming);
  }
  if (membership_.rank < peer) {
    Strand& strand = formings_.emplace_back(membership_.deadline);
    strand.start(connect(strand, *stream, channel));
  }
  return *stream;
}

Task Network::connected(Strand& strand, int peer, std::uint64_t channel) {
  // First of all the pair can tell each other why it ends.
  Stream& control = stream(peer, kControl);
  co_await strand.until(control.connected(), 1, peer, &control);
  Stream& data = stream(peer, channel);
  co_await strand.until(data.connected(), 1, peer, &data);
}

bool Network::progress() {
  bool moved = false;
  bool forming = !guests_.empty(), closed = false;
  for (const auto& [key, stream] : streams_) {
    forming |= stream->connected().load() == 0;
    closed |= stream->failure().has_value();
    if (key.second != kControl) moved |= stream->progress();
  }
  const bool event = poller_.take_event();
  if (event || forming) {
    accept_waiting();
    for (Stream* stream : all_)
      if (stream->peer() < 0) moved |= stream->progress();
    moved |= step_formings();
  }
  if (event || forming || closed) moved |= read_control();
  return moved;
}

TimePoint Network::watch(TimePoint latest) {
  poller_.watch(listener_.socket().get(), EPOLLIN);
  for (const Stream* stream : all_) latest = std::min(latest, stream->wakes());
  for (const Stream* stream : all_)
    if (const std::uint32_t interest = stream->interest(); interest != 0)
      poller_.watch(stream->fd(), interest);
  for (const auto* strands : {&formings_, &guests_})
    for (const Strand& strand : *strands) latest = std::min(latest, strand.wait().deadline);
  return latest;
}

void Network::accept_waiting() {
  while (true) {
    FileDescriptor guest(
        ::accept4(listener_.socket().get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!guest) return;
    Strand& strand = guests_.emplace_back(membership_.deadline);
    strand.start(welcome(strand, std::move(guest)));
    if (guests_.size() > kMaxGuests) guests_.pop_front();
  }
}

bool Network::step_formings() {
  bool moved = false;
  const TimePoint now = Clock::now();
  for (auto* strands : {&formings_, &guests_}) {
    for (Strand& strand : *strands) {
      const Wait& wait = strand.wait();
      if (strand.done()) continue;
      if (!wait.reached() && now < wait.deadline && !(wait.stream && wait.stream->failure()))
        continue;
      strand.resume();
      moved = true;
    }
    strands->remove_if([](const Strand& strand) { return strand.done(); });
  }
  return moved;
}

std::optional<Ending> Network::failure(const Stream& stream, TimePoint now) {
  if (!stream.failure() || told_) return std::nullopt;
  const auto control = streams_.find({stream.peer(), kControl});
  const bool silent = control != streams_.end() && control->second->failure() &&
                      control->second->connected().load() != 0;
  const TimePoint since = closed_since_.try_emplace(&stream, now).first->second;
  if (!silent && now < since + kLastWords) return std::nullopt;
  return stream.failure();
}

std::string Network::refusals() const {
  if (refused_ == 0) return {};
  return fmt::format("; refused {} connections that could not prove to know this job's secret",
                     refused_);
}

}  // namespace phalanx::comm
