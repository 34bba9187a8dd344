#include "launcher/control/controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "base/frame.h"
#include "base/socket.h"
#include "checkpoint/directory.h"
#include "checkpoint/shard.h"
#include "config/load.h"
#include "launcher/control/client.h"
#include "launcher/error.h"
#include "layout/tensor_spec.h"
#include "protocol/run_directory.h"
#include "tests/control/fake_node.h"
#include "tests/control/run_folder.h"

namespace phalanx::control {
namespace {

using nlohmann::json;
using protocol::FromWorker;
using protocol::NodeCommand;
using protocol::NodeReport;

constexpr const char* kToken = "secret";
constexpr const char* kJob = R"(name: test
model: {preset: llama, layers: 1, width: 8, heads: 2, kv_heads: 1, ffn_width: 8, sequence_length: 8, vocab_size: 260}
data: {tokenizer: bytes, train: [{path: train.tokens, weight: 1.0}]}
train:
  steps: 3
  global_batch: 1
  micro_batch: 1
  precision: fp32
  optimizer: {name: adamw, lr: 1e-3, betas: [0.9, 0.95], weight_decay: 0.1, clip_norm: 1.0}
  lr_schedule: {name: cosine, warmup: 1, min_lr: 1e-4}
checkpoint: {every: 1, keep: 1}
launch: {device: cpu, ranks_per_node: 1}
output: out
)";

// A controller on a thread, as its keeper sees it.
class RunningController {
 public:
  explicit RunningController(const std::filesystem::path& folder) {
    auto [ours, theirs] = socket_pair();
    keeper_ = FrameChannel(std::move(ours));
    thread_ = std::jthread([this, fd = theirs.release()] { exit_code_ = run_controller(fd); });
    protocol::ControllerStart start;
    start.set_job(folder / "job.yaml");
    start.set_output(folder);
    start.set_attempt(1);
    start.set_nodes(1);
    start.set_slots_per_node(1);
    start.set_host("127.0.0.1");
    start.set_token(kToken);
    EXPECT_TRUE(keeper_.send(start.SerializeAsString()));
    Frame frame;
    EXPECT_EQ(keeper_.receive(frame, Clock::now() + std::chrono::seconds(20)),
              FrameChannel::Status::kFrame);
    protocol::ControllerAddress message;
    EXPECT_TRUE(message.ParseFromString(frame.payload));
    address = message.address();
  }
  ~RunningController() { keeper_.close(); }

  // Waits for its own end.
  int join() {
    thread_.join();
    return exit_code_;
  }
  // As if its keeper had died.
  int abandon() {
    keeper_.close();
    return join();
  }

  std::string address;

 private:
  FrameChannel keeper_;
  int exit_code_ = -1;
  std::jthread thread_;
};

class ControllerTest : public testing::Test {
 protected:
  ControllerTest() { write_file_atomically(folder_.path() / "job.yaml", kJob); }

  void join_worker(FakeNode& node, std::int64_t pid) {
    NodeReport started;
    started.mutable_worker_started()->set_slot(0);
    started.mutable_worker_started()->set_pid(pid);
    node.report(started);
    FromWorker said;
    said.mutable_candidate()->set_held_step(-1);
    node.say(pid, said);
  }

  // The node is ready and its worker, process 11, is at work.
  void begin(FakeNode& node, const std::string& address) {
    node.attach(address, kToken);
    NodeReport ready;
    ready.mutable_node_ready()->set_name("node0");
    node.report(ready);
    ASSERT_TRUE(node.next().has_start_worker());
    join_worker(node, 11);
    ASSERT_EQ(node.next().roster().generation(), 1u);
  }

  void step(FakeNode& node, std::int64_t number, double loss = 0.5) {
    FromWorker said;
    protocol::StepReport& report = *said.mutable_step();
    report.set_generation(1);
    report.set_step(number);
    report.set_loss(loss);
    report.set_tokens(number * 8);
    report.set_samples(number);
    report.set_seconds(0.25);
    node.say(11, said);
  }

  void save(FakeNode& node, std::int64_t step) {
    const auto job = config::load_job(folder_.path() / "job.yaml").job;
    std::vector<checkpoint::GlobalTensor> tensors;
    std::vector<checkpoint::StateView> views;
    const std::vector<float> zeros(1 << 16);
    const auto specs = layout::tensor_specs(job.model);
    for (const auto& spec : specs) tensors.push_back({spec.name, spec.shape});
    for (const char* kind : {"parameter", "adam_m", "adam_v"})
      for (const auto& spec : specs) {
        const layout::Region whole{spec.name, std::vector<std::int64_t>(spec.shape.size()),
                                   spec.shape};
        const auto elements = static_cast<std::size_t>(whole.elements());
        views.push_back({kind, whole, std::span(zeros).first(elements)});
      }
    const auto partial = checkpoint::partial_path(folder_.path(), {step, 1}, 1);
    FromWorker said;
    said.mutable_shard_saved()->set_generation(1);
    said.mutable_shard_saved()->set_step(step);
    said.mutable_shard_saved()->set_samples(step);
    said.mutable_shard_saved()->set_tokens(step * 8);
    said.mutable_shard_saved()->set_shard(checkpoint::encode(
        checkpoint::write_shard(partial, checkpoint::shard_file(0, 1), tensors, views)));
    node.say(11, said);
  }

  // The worker is done; the node ends when it is told to.
  void finish(FakeNode& node, std::int64_t step) {
    FromWorker said;
    said.mutable_finished()->set_generation(1);
    said.mutable_finished()->set_step(step);
    node.say(11, said);
    EXPECT_TRUE(node.next().has_end_node());
    end(node);
    node.await_acknowledgement();
  }

  void end(FakeNode& node) {
    NodeReport ended;
    ended.mutable_node_ended();
    node.report(ended);
  }

  void die(FakeNode& node) {
    NodeReport exited;
    exited.mutable_worker_exited()->set_slot(0);
    exited.mutable_worker_exited()->set_pid(11);
    exited.mutable_worker_exited()->set_signal(9);
    node.report(exited);
  }

  std::vector<json> lines(const char* file) const {
    std::ifstream stream(folder_.path() / file);
    std::vector<json> found;
    for (std::string line; std::getline(stream, line);) found.push_back(json::parse(line));
    return found;
  }
  json summary() const { return json::parse(read_file(folder_.path() / "summary.json")); }

  RunFolder folder_;
};

TEST_F(ControllerTest, RunsAJobFromTheFirstReportToTheSummary) {
  RunningController controller(folder_.path());
  std::vector<std::int64_t> seen;
  Ended end;
  std::jthread watcher([&] {
    end = Client(controller.address, kToken).watch([&](const Happening& happening) {
      if (happening.has_step()) seen.push_back(happening.step().step());
      EXPECT_EQ(happening.steps(), 3);
    });
  });
  FakeNode node(0);
  begin(node, controller.address);
  step(node, 1);
  step(node, 2, std::nan(""));
  step(node, 3);
  save(node, 3);
  finish(node, 3);
  EXPECT_EQ(controller.join(), 0);
  watcher.join();

  EXPECT_EQ(end.exit_code(), 0);
  EXPECT_EQ(end.outcome(), "done");
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back(), 3);
  const auto metrics = lines("metrics.jsonl");
  ASSERT_EQ(metrics.size(), 3u);
  EXPECT_EQ(metrics[0]["loss"], 0.5);
  EXPECT_TRUE(metrics[1]["loss"].is_null());
  EXPECT_EQ(metrics[2]["tokens_per_second"], 32.0);
  EXPECT_EQ(summary()["outcome"], "done");
  EXPECT_EQ(summary()["steps"], 3);
  EXPECT_EQ(summary()["tokens"], 24);
  EXPECT_EQ(lines("events.jsonl").back()["kind"], "job_ended");
  const auto saved = checkpoint::read_checked(checkpoint::complete_path(folder_.path(), {3, 1}));
  EXPECT_EQ(saved.cursor, 3);
  EXPECT_EQ(saved.tokens, 24);
}

TEST_F(ControllerTest, RemovesWhatWasWrittenOfACheckpointThatFailed) {
  RunningController controller(folder_.path());
  FakeNode node(0);
  begin(node, controller.address);
  step(node, 3);
  const auto partial = checkpoint::partial_path(folder_.path(), {3, 1}, 1);
  std::filesystem::create_directories(partial);
  write_file_atomically(partial / "shard", "torn");
  FromWorker said;
  said.mutable_save_failed()->set_generation(1);
  said.mutable_save_failed()->set_step(3);
  said.mutable_save_failed()->set_message("No space left on device");
  node.say(11, said);
  finish(node, 3);
  EXPECT_EQ(controller.join(), 0);
  EXPECT_EQ(summary()["exit_code"], 7);
  EXPECT_TRUE(std::filesystem::is_empty(partial.parent_path()));
}

TEST_F(ControllerTest, SendsAgainWhatABrokenConnectionLostAndTakesNothingTwice) {
  RunningController controller(folder_.path());
  FakeNode node(0);
  node.attach(controller.address, kToken);
  NodeReport ready;
  ready.mutable_node_ready()->set_name("node0");
  node.report(ready);
  node.attach(controller.address, kToken);
  node.send_again();
  ASSERT_TRUE(node.next().has_start_worker());
  join_worker(node, 11);
  node.send_again();
  node.send_again();
  ASSERT_EQ(node.next().roster().generation(), 1u);
  EXPECT_EQ(Client(controller.address, kToken).status().phase(), "training");
  EXPECT_EQ(controller.abandon(), 0);
}

TEST_F(ControllerTest, RefusesCallsWithoutTheTokenAndNodesThatAreNone) {
  RunningController controller(folder_.path());
  EXPECT_THROW(Client(controller.address, "secreT").status(), launcher::LaunchError);
  EXPECT_THROW(Client(controller.address, "secret2").stop(StopRequest::NOW), launcher::LaunchError);
  EXPECT_THROW(Client(controller.address, "").watch([](const Happening&) {}),
               launcher::LaunchError);
  FakeNode stranger(0), outsider(7);
  stranger.attach(controller.address, "wrong");
  EXPECT_EQ(stranger.next().kind_case(), NodeCommand::KIND_NOT_SET);
  EXPECT_EQ(stranger.finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
  outsider.attach(controller.address, kToken);
  EXPECT_EQ(outsider.next().kind_case(), NodeCommand::KIND_NOT_SET);
  EXPECT_EQ(outsider.finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Client(controller.address, kToken).status().phase(), "forming");
}

TEST_F(ControllerTest, GoesOnAfterARestartWithoutRepeatingAnything) {
  FakeNode node(0);
  {
    RunningController controller(folder_.path());
    begin(node, controller.address);
    step(node, 1);
    node.await_acknowledgement();
    EXPECT_EQ(controller.abandon(), 0);
  }
  RunningController controller(folder_.path());
  const Status status = Client(controller.address, kToken).status();
  EXPECT_EQ(status.phase(), "training");
  EXPECT_EQ(status.generation(), 1u);
  EXPECT_EQ(status.step(), 1);
  EXPECT_EQ(status.workers(0).pid(), 11);
  node.attach(controller.address, kToken);
  node.send_again();
  step(node, 2);
  die(node);
  ASSERT_EQ(node.next().abort().generation(), 1u);
  ASSERT_TRUE(node.next().has_start_worker());
  join_worker(node, 12);
  ASSERT_EQ(node.next().roster().generation(), 2u);
  EXPECT_EQ(controller.abandon(), 0);
  const auto metrics = lines("metrics.jsonl");
  ASSERT_EQ(metrics.size(), 2u);
  EXPECT_EQ(metrics[1]["step"], 2);
}

TEST_F(ControllerTest, StopsWhenAsked) {
  RunningController controller(folder_.path());
  FakeNode node(0);
  begin(node, controller.address);
  step(node, 1);
  Client(controller.address, kToken).stop(StopRequest::CANCELLED);
  EXPECT_TRUE(node.next().has_stop());
  save(node, 1);
  finish(node, 1);
  EXPECT_EQ(controller.join(), 0);
  EXPECT_EQ(summary()["outcome"], "cancelled");
}

TEST_F(ControllerTest, EndsWhenTheNextGenerationBelongsToAnother) {
  RunningController controller(folder_.path());
  FakeNode node(0);
  begin(node, controller.address);
  write_file_atomically(protocol::RunDirectory(folder_.path()).generation(2), "another");
  die(node);
  EXPECT_TRUE(node.next().has_abort());
  EXPECT_TRUE(node.next().has_start_worker());
  EXPECT_TRUE(node.next().has_end_node());
  end(node);
  EXPECT_EQ(controller.join(), 0);
  EXPECT_EQ(summary()["exit_code"], 5);
}

TEST_F(ControllerTest, TrainsOnWhenItsFilesCannotBeWritten) {
  std::filesystem::create_symlink("/dev/full", folder_.path() / "metrics.jsonl");
  std::filesystem::create_directory(folder_.path() / "events.jsonl");
  std::filesystem::create_directory(folder_.path() / "summary.json");
  RunningController controller(folder_.path());
  FakeNode node(0);
  begin(node, controller.address);
  for (std::int64_t number = 1; number <= 3; ++number) step(node, number);
  save(node, 3);
  finish(node, 3);
  EXPECT_EQ(controller.join(), 0);
}

TEST_F(ControllerTest, EndsTheJobWhenANodeIsLost) {
  RunningController controller(folder_.path());
  FakeNode node(0);
  begin(node, controller.address);
  Client(controller.address, kToken).report_node_lost(0, "its keeper died: signal 9");
  EXPECT_EQ(controller.join(), 0);
  EXPECT_EQ(summary()["exit_code"], 12);
}

}  // namespace
}  // namespace phalanx::control
