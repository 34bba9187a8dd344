#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/frame.h"
#include "base/memory_file.h"
#include "comm/backend.h"

namespace phalanx::comm {

// One rank of a test's generation, and its line to the test.
class RankContext {
 public:
  RankContext(FrameChannel channel, const Backend& backend, Endpoint& endpoint);

  // Takes part in the generation that the test describes next.
  std::unique_ptr<Communicator> join();
  void mark(const std::string& what);  // tells the test how far this rank is
  void await_go();                     // until the test says so; exits when the test has gone

  const Backend& backend() const { return backend_; }
  int rank() const { return rank_; }
  int size() const { return size_; }
  std::vector<int> everybody() const;
  const nlohmann::json& arguments() const { return arguments_; }
  protocol::SpanRing& spans() { return spans_; }
  nlohmann::json receive(std::vector<FileDescriptor>* descriptors = nullptr);
  void send(const nlohmann::json& message);

 private:
  FrameChannel channel_;
  const Backend& backend_;
  Endpoint& endpoint_;
  int rank_ = 0, size_ = 0;
  nlohmann::json arguments_;
  std::unique_ptr<MemoryMapping> box_;
  protocol::SpanRing spans_{100};
};

// What a rank does; its result goes to the test. Exceptions are reported as {"error": ...}.
using Scenario = std::function<nlohmann::json(RankContext&)>;
const std::map<std::string, Scenario>& operation_scenarios();
const std::map<std::string, Scenario>& behaviour_scenarios();
const std::map<std::string, Scenario>& failure_scenarios();

nlohmann::json describe(const CommError& error);

}  // namespace phalanx::comm
