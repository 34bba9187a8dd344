#include "runtime/worker.h"

#include <ATen/Parallel.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/crash.h"
#include "base/memory_file.h"
#include "base/process.h"
#include "checkpoint/error.h"
#include "comm/plugin.h"
#include "config/load.h"
#include "parallel/tensor_memory.h"
#include "protocol/exit_code.h"
#include "runtime/device.h"
#include "runtime/failure.h"
#include "runtime/generation.h"

namespace phalanx::runtime {
namespace {

using protocol::ExitCode;

constexpr auto kHeartbeatPeriod = std::chrono::milliseconds(200);

// Shows that the process runs, whatever its other threads do. Ends with the process.
std::jthread start_heartbeat(protocol::BlackBox& black_box) {
  return std::jthread([&black_box](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    do {
      black_box.heartbeat = Clock::now().time_since_epoch().count();
    } while (
        !stopped.wait_for(lock, stop, kHeartbeatPeriod, [&] { return stop.stop_requested(); }));
  });
}

const char* kind_name(comm::CommError::Kind kind) {
  switch (kind) {
    case comm::CommError::Kind::kPeerDied:
      return "peer died";
    case comm::CommError::Kind::kTimeout:
      return "timeout";
    case comm::CommError::Kind::kAborted:
      return "aborted";
    case comm::CommError::Kind::kMismatch:
      return "mismatch";
  }
  return "unknown";
}

protocol::FromWorker fault_message(const comm::CommError& error) {
  protocol::FromWorker message;
  auto& fault = *message.mutable_fault();
  fault.set_generation(error.generation());
  fault.set_kind(kind_name(error.kind()));
  fault.set_peer(error.peer());
  fault.set_message(error.what());
  return message;
}

protocol::FromWorker damage_message(std::uint64_t generation, const std::string& directory,
                                    const checkpoint::CheckpointError& error) {
  protocol::FromWorker message;
  auto& damaged = *message.mutable_checkpoint_damaged();
  damaged.set_generation(generation);
  damaged.mutable_checkpoint()->set_directory(directory);
  damaged.mutable_checkpoint()->set_reason(error.what());
  return message;
}

protocol::FromWorker candidate_message(const Holding& holding, std::uint64_t left_generation,
                                       const comm::Endpoint& endpoint) {
  protocol::FromWorker message;
  auto& candidate = *message.mutable_candidate();
  candidate.set_left_generation(left_generation);
  candidate.set_held_step(holding.held_step());
  candidate.set_host(endpoint.host());
  candidate.set_port(endpoint.port());
  if (holding.whole && holding.ledger.reported && holding.state.progress.step > 0)
    *candidate.mutable_last_step() = step_report(holding, left_generation);
  return message;
}

// One generation after the other until this worker is to leave.
void serve(Worker& worker) {
  std::uint64_t left = 0;
  while (true) {
    worker.phases.enter(protocol::Phase::kWaitingForRoster);
    worker.keeper.send(candidate_message(worker.holding, left, worker.endpoint));
    auto summons = worker.keeper.await_roster();
    if (!summons) return;
    left = summons->roster.generation();
    const std::string source = summons->roster.checkpoint();
    try {
      Generation(worker, std::move(*summons)).run();
      worker.keeper.await_end_of(left);
    } catch (const comm::CommError& error) {
      std::fprintf(stderr, "generation %llu is over: %s\n", static_cast<unsigned long long>(left),
                   error.what());
      worker.keeper.send(fault_message(error));
    } catch (const checkpoint::CheckpointError& error) {
      std::fprintf(stderr, "%s cannot be loaded: %s\n", source.c_str(), error.what());
      worker.keeper.send(damage_message(left, source, error));
    }
  }
}

// Tells the log and the keeper.
int fail(KeeperLink& keeper, const Failure& failure) {
  std::fprintf(stderr, "error: %s\n", failure.message.c_str());
  if (!failure.help.empty()) std::fprintf(stderr, "help: %s\n", failure.help.c_str());
  protocol::FromWorker message;
  auto& failed = *message.mutable_failed();
  failed.set_exit_code(static_cast<int>(failure.code));
  failed.set_message(failure.message);
  failed.set_help(failure.help);
  keeper.send(message);
  // Dying now would look like another failure: the controller ends the job and tells this worker to
  // leave.
  while (keeper.await_roster()) {
  }
  return static_cast<int>(failure.code);
}

int train(KeeperLink& keeper, protocol::BlackBox& black_box) {
  const auto job = config::load_job(keeper.start().job()).job;
  at::set_num_threads(static_cast<int>(job.launch.threads_per_rank));
  const auto device = open_device(job.launch.device, keeper.start().slot());
  const comm::Backend& backend =
      comm::find_backend(job.launch.backend, comm::plugin_folders(self_program()));
  const auto endpoint = backend.open(keeper.start().host());
  TrainingData data(job);
  const auto& start = keeper.start();
  Holding holding(job, static_cast<int>(start.node() * job.launch.ranks_per_node + start.slot()),
                  device);
  Saving saving(job, keeper.start().attempt(), keeper);
  Tracer tracer(protocol::RunDirectory(keeper.start().output()), keeper.start().node());
  PhaseClock phases(black_box, &tracer.spans());
  Worker worker{job, keeper, black_box, phases, *endpoint, data, holding, saving, tracer, {}};
  serve(worker);
  saving.finish();
  endpoint->leave();
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace

int run_worker(FrameChannel channel, const FileDescriptor& black_box_file) {
  report_crashes();
  parallel::count_tensor_memory();
  const MemoryMapping mapping(black_box_file);
  auto& black_box = protocol::black_box_in(mapping.bytes());
  black_box.phase = protocol::Phase::kStarting;
  const auto heartbeat = start_heartbeat(black_box);
  KeeperLink keeper(std::move(channel));
  try {
    return train(keeper, black_box);
  } catch (const std::exception&) {
    return fail(keeper, current_failure());
  }
}

}  // namespace phalanx::runtime
