// What ranks of different nodes tell each other beside their data.
#include "comm/native/network.h"

namespace phalanx::comm {

bool Network::read_control() {
  bool moved = false;
  for (auto& [peer, control] : controls_) moved |= converse(peer, control);
  return moved;
}

// Moves what is queued either way, and hears every message that has come in whole.
bool Network::converse(int peer, Control& control) {
  Stream& stream = *streams_[{peer, kControl}];
  bool moved = false;
  while (stream.progress()) {
    moved = true;
    if (stream.received().load() < control.expected) continue;
    hear(peer, control);
    control.expected = stream.receive(&control.incoming, sizeof control.incoming);
  }
  return moved;
}

void Network::hear(int peer, Control& control) {
  const ControlMessage message = control.incoming;
  if (message.type == ControlMessage::Type::kWaits) {
    control.waits_for = {message.peer, Clock::now()};
  } else if (!told_) {
    told_ = Ending{static_cast<CommError::Kind>(message.kind), message.peer,
                   "rank " + std::to_string(peer) + " says so"};
  }
}

std::optional<int> Network::told_wait(int peer, TimePoint oldest) const {
  const auto control = controls_.find(peer);
  if (control == controls_.end() || !control->second.waits_for) return std::nullopt;
  const auto [blames, when] = *control->second.waits_for;
  if (when < oldest) return std::nullopt;
  return blames;
}

void Network::tell(const ControlMessage& message) {
  for (auto& [peer, control] : controls_) {
    Stream& stream = *streams_[{peer, kControl}];
    if (stream.failure()) continue;
    stream.send_copy(&message, sizeof message);
    converse(peer, control);
  }
}

void Network::tell_wait(int blames) { tell({ControlMessage::Type::kWaits, 0, blames}); }

void Network::tell_ending(const Ending& ending) {
  tell({ControlMessage::Type::kEnds, static_cast<std::int32_t>(ending.kind), ending.peer});
}

void Network::forget_data() {
  formings_.clear();
  guests_.clear();
  for (const auto& [key, stream] : streams_)
    if (key.second != kControl) stream->forget();
}

}  // namespace phalanx::comm
