#include "launcher/node/frame_peer.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include <utility>

#include "base/error.h"

namespace phalanx::node {
namespace {

// So that one who never stops talking does not keep the others from being heard.
constexpr int kFramesAtOnce = 32;

std::vector<int> numbers(const std::vector<FileDescriptor>& descriptors) {
  std::vector<int> result;
  for (const auto& descriptor : descriptors) result.push_back(descriptor.get());
  return result;
}

}  // namespace

FramePeer::FramePeer(EventLoop& loop, FrameChannel channel, Handlers handlers)
    : loop_(loop), channel_(std::move(channel)), handlers_(std::move(handlers)), reading_(EPOLLIN) {
  loop_.watch(channel_.fd(), EPOLLIN, [this] { on_ready(); });
}

bool FramePeer::send(const std::string& payload, const std::vector<int>& descriptors) {
  if (!channel_) return true;
  if (kept_.empty() && channel_.try_send(payload, descriptors)) return true;
  if (kept_.size() == kMaxKept) return false;
  Frame frame{payload, {}};
  for (const int fd : descriptors) {
    frame.descriptors.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!frame.descriptors.back()) throw SystemError(describe_errno("fcntl(F_DUPFD_CLOEXEC)"));
  }
  kept_.push_back(std::move(frame));
  update_events();
  return true;
}

void FramePeer::drain() {
  while (channel_ && receive_one()) {
  }
}

void FramePeer::pause() {
  reading_ = 0;
  if (channel_) update_events();
}

void FramePeer::resume() {
  reading_ = EPOLLIN;
  if (channel_) update_events();
}

void FramePeer::close() {
  if (!channel_) return;
  loop_.forget(channel_.fd());
  channel_.close();
  kept_.clear();
}

void FramePeer::on_ready() {
  flush();
  for (int i = 0; i < kFramesAtOnce && channel_ && receive_one(); ++i) {
  }
}

bool FramePeer::receive_one() {
  Frame frame;
  std::string garbage;
  auto status = FrameChannel::Status::kEnd;
  try {
    status = channel_.receive(frame, TimePoint());
  } catch (const SystemError& error) {
    garbage = error.what();
  }
  if (status == FrameChannel::Status::kFrame) handlers_.on_frame(frame);
  if (status == FrameChannel::Status::kEnd) {
    // A peer that sent garbage must not see the channel close, and end as if by itself, before it
    // is killed for it.
    handlers_.on_end(garbage);
    close();
  }
  return status == FrameChannel::Status::kFrame;
}

void FramePeer::flush() {
  if (kept_.empty()) return;
  while (!kept_.empty() &&
         channel_.try_send(kept_.front().payload, numbers(kept_.front().descriptors)))
    kept_.pop_front();
  update_events();
  if (kept_.empty()) handlers_.on_room();
}

void FramePeer::update_events() {
  loop_.change(channel_.fd(), reading_ | (kept_.empty() ? 0u : static_cast<unsigned>(EPOLLOUT)));
}

}  // namespace phalanx::node
