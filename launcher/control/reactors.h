#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <mutex>

#include "launcher/control/service.h"

namespace phalanx::control {

// An agent's stream. It owns itself until gRPC is done with it; the links share it.
class AttachReactor final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                            public AgentConnection {
 public:
  static AttachReactor* create(ServiceHandler& handler, int node);

  void send(std::shared_ptr<const std::string> kind, std::uint64_t sequence,
            std::uint64_t acknowledged) override;
  void close() override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  AttachReactor(ServiceHandler& handler, int node) : handler_(handler), node_(node) {}
  void write_or_finish();  // with the mutex held

  ServiceHandler& handler_;
  const int node_;
  std::shared_ptr<AttachReactor> self_;
  grpc::ByteBuffer incoming_;
  std::mutex mutex_;
  std::deque<grpc::ByteBuffer> outgoing_;  // the first is being written
  bool closing_ = false;
  bool finished_ = false;
};

// A watcher's stream, with the same ownership.
class WatchReactor final : public grpc::ServerWriteReactor<Happening>, public Watcher {
 public:
  static WatchReactor* create(ServiceHandler& handler);

  void send(std::shared_ptr<const Happening> happening) override;
  void close() override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  explicit WatchReactor(ServiceHandler& handler) : handler_(handler) {}
  void write_or_finish();  // with the mutex held

  ServiceHandler& handler_;
  std::shared_ptr<WatchReactor> self_;
  std::mutex mutex_;
  std::deque<std::shared_ptr<const Happening>> outgoing_;  // the first is being written
  bool closing_ = false;
  bool finished_ = false;
};

}  // namespace phalanx::control
