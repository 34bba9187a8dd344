#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/frame.h"
#include "launcher/node/event_loop.h"

namespace phalanx::node {

// The other end of a channel, for a process that must not wait for anyone: what the peer's queue
// does not take at once is kept and sent when there is room. Not to be destroyed by its own
// handlers.
class FramePeer {
 public:
  struct Handlers {
    std::function<void(Frame&)> on_frame;
    // Nothing will come any more: the peer has gone (`garbage` is empty), or has sent what is no
    // frame (what it was).
    std::function<void(const std::string& garbage)> on_end;
    std::function<void()> on_room = [] {};  // all that was kept has been sent
  };

  FramePeer(EventLoop& loop, FrameChannel channel, Handlers handlers);
  FramePeer(const FramePeer&) = delete;
  FramePeer& operator=(const FramePeer&) = delete;
  ~FramePeer() { close(); }

  // False when kMaxKept frames are kept already: the peer does not read. Sending to a peer that has
  // gone does nothing.
  [[nodiscard]] bool send(const std::string& payload, const std::vector<int>& descriptors = {});
  bool keeps_some() const { return !kept_.empty(); }
  // Reads all that is there by now: for a peer that has died.
  void drain();
  // Leaves frames where they are, or takes them again. The peer's sends block meanwhile.
  void pause();
  void resume();
  void close();

  static constexpr std::size_t kMaxKept = 64;

 private:
  void on_ready();
  bool receive_one();
  void flush();
  void update_events();

  EventLoop& loop_;
  FrameChannel channel_;
  Handlers handlers_;
  std::deque<Frame> kept_;
  std::uint32_t reading_;
};

}  // namespace phalanx::node
