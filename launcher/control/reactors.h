#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <mutex>

#include "launcher/control/service.h"

namespace phalanx::control {

// A stream that writes what it is given, one after the other, and ends after that once it is
// closed. It owns itself until gRPC is done with it. `Stream`: gRPC's reactor; `Stored`: what keeps
// a message until it is written. Methods may be called on any thread.
template <class Stream, class Stored>
class WritingStream : public Stream {
 public:
  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    outgoing_.pop_front();
    if (!ok) {
      outgoing_.clear();
      closing_ = true;
    }
    write_or_finish();
  }
  void OnCancel() override { end(); }

 protected:
  void put(Stored message) {
    const std::lock_guard lock(mutex_);
    if (closing_ || finished_) return;
    outgoing_.push_back(std::move(message));
    if (outgoing_.size() == 1) write_or_finish();
  }
  void end() {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    closing_ = true;
    if (outgoing_.empty()) write_or_finish();
  }
  // Calls `next` unless the stream has finished.
  template <class Next>
  void unless_finished(Next next) {
    const std::lock_guard lock(mutex_);
    if (!finished_) next();
  }

 private:
  virtual void start_write(const Stored& message) = 0;

  void write_or_finish() {  // with the mutex held
    if (finished_) return;
    if (!outgoing_.empty()) return start_write(outgoing_.front());
    if (!closing_) return;
    finished_ = true;
    this->Finish(grpc::Status::OK);
  }

  std::mutex mutex_;
  std::deque<Stored> outgoing_;  // the first is being written
  bool closing_ = false;
  bool finished_ = false;
};

// An agent's stream. The links share it.
class AttachReactor final
    : public WritingStream<grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                           grpc::ByteBuffer>,
      public AgentConnection {
 public:
  static AttachReactor* create(ServiceHandler& handler, int node);

  void send(std::shared_ptr<const std::string> kind, std::uint64_t sequence,
            std::uint64_t acknowledged) override;
  void close() override { end(); }

  void OnReadDone(bool ok) override;
  void OnDone() override;

 private:
  AttachReactor(ServiceHandler& handler, int node) : handler_(handler), node_(node) {}
  void start_write(const grpc::ByteBuffer& message) override { StartWrite(&message); }

  ServiceHandler& handler_;
  const int node_;
  std::shared_ptr<AttachReactor> self_;
  grpc::ByteBuffer incoming_;
};

// A watcher's stream. The audience shares it.
class WatchReactor final
    : public WritingStream<grpc::ServerWriteReactor<Happening>, std::shared_ptr<const Happening>>,
      public Watcher {
 public:
  static WatchReactor* create(ServiceHandler& handler);

  void send(std::shared_ptr<const Happening> happening) override { put(std::move(happening)); }
  void close() override { end(); }

  void OnDone() override;

 private:
  explicit WatchReactor(ServiceHandler& handler) : handler_(handler) {}
  void start_write(const std::shared_ptr<const Happening>& message) override {
    StartWrite(message.get());
  }

  ServiceHandler& handler_;
  std::shared_ptr<WatchReactor> self_;
};

}  // namespace phalanx::control
