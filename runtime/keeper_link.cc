#include "runtime/keeper_link.h"

#include <unistd.h>

#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace phalanx::runtime {
namespace {

constexpr auto kStartDeadline = std::chrono::seconds(60);
constexpr auto kForever = std::chrono::hours(24);  // of one poll; the loop goes on

}  // namespace

KeeperLink::KeeperLink(FrameChannel channel) : channel_(std::move(channel)) {
  Frame frame;
  protocol::ToWorker first;
  if (channel_.receive(frame, Clock::now() + kStartDeadline) != FrameChannel::Status::kFrame ||
      !first.ParseFromString(frame.payload) || !first.has_start())
    throw SystemError("worker: expected Start from the keeper within 60 s, found none");
  start_ = first.start();
  reader_ = std::jthread([this] { read_messages(); });
}

// The process ends with its link; the thread is blocked in poll and has nothing to clean up.
KeeperLink::~KeeperLink() { reader_.detach(); }

void KeeperLink::send(const protocol::FromWorker& message) {
  const std::lock_guard lock(sending_);
  if (!channel_.send(message.SerializeAsString())) ::_exit(1);
}

std::optional<Summons> KeeperLink::await_roster() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return leave_ || !rosters_.empty(); });
  if (rosters_.empty()) return std::nullopt;
  // Only the newest counts: an older one was overtaken while this worker was busy leaving its
  // generation.
  Summons newest = std::move(rosters_.back());
  rosters_.clear();
  return newest;
}

void KeeperLink::await_end_of(std::uint64_t generation) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return leave_ || !rosters_.empty() || newest_abort_.generation() >= generation;
  });
}

void KeeperLink::on_abort(std::uint64_t generation, OnAbort callback) {
  const std::lock_guard lock(mutex_);
  watched_generation_ = generation;
  on_abort_ = std::move(callback);
  if (on_abort_ && newest_abort_.generation() >= generation)
    on_abort_(newest_abort_.rank(), newest_abort_.reason());
}

std::vector<protocol::Trace> KeeperLink::take_traces() {
  if (!traces_wanted_.load(std::memory_order_relaxed)) return {};
  const std::lock_guard lock(mutex_);
  traces_wanted_ = false;
  return std::exchange(traces_, {});
}

void KeeperLink::read_messages() {
  while (true) {
    Frame frame;
    const auto status = channel_.receive(frame, Clock::now() + kForever);
    if (status == FrameChannel::Status::kEnd) ::_exit(1);
    if (status == FrameChannel::Status::kNothingYet) continue;
    protocol::ToWorker message;
    check(message.ParseFromString(frame.payload), "the keeper sends whole messages");
    take(std::move(message), std::move(frame.descriptors));
  }
}

void KeeperLink::take(protocol::ToWorker message, std::vector<FileDescriptor> descriptors) {
  const std::lock_guard lock(mutex_);
  if (message.has_stop()) stop_requested_ = true;
  if (message.has_leave()) leave_ = true;
  if (message.has_trace()) {
    traces_.push_back(message.trace());
    traces_wanted_ = true;
  }
  if (message.has_abort()) {
    newest_abort_ = message.abort();
    if (on_abort_ && newest_abort_.generation() >= watched_generation_)
      on_abort_(newest_abort_.rank(), newest_abort_.reason());
  }
  if (message.has_roster()) {
    rosters_.push_back({message.roster(), {}});
    if (!descriptors.empty()) rosters_.back().node_memory = std::move(descriptors.front());
  }
  changed_.notify_all();
}

}  // namespace phalanx::runtime
