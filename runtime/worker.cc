#include "runtime/worker.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <new>
#include <thread>

#include "base/crash.h"
#include "base/memory_file.h"
#include "checkpoint/error.h"
#include "config/load.h"
#include "data/error.h"
#include "protocol/exit_code.h"
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

protocol::FromWorker candidate_message(const Holding& holding, std::uint64_t left_generation,
                                       const comm::Listener& listener) {
  protocol::FromWorker message;
  auto& candidate = *message.mutable_candidate();
  candidate.set_left_generation(left_generation);
  candidate.set_held_step(holding.held_step());
  candidate.set_host(listener.host());
  candidate.set_port(listener.port());
  if (holding.whole && holding.ledger.reported && holding.state.progress.step > 0)
    *candidate.mutable_last_step() = step_report(holding, left_generation);
  return message;
}

// One generation after the other until this worker is to leave.
void serve(Worker& worker) {
  std::uint64_t left = 0;
  while (true) {
    worker.phases.enter(protocol::Phase::kWaitingForRoster);
    worker.keeper.send(candidate_message(worker.holding, left, worker.listener));
    auto summons = worker.keeper.await_roster();
    if (!summons) return;
    left = summons->roster.generation();
    try {
      Generation(worker, std::move(*summons)).run();
      worker.keeper.await_end_of(left);
    } catch (const comm::CommError& error) {
      std::fprintf(stderr, "generation %llu is over: %s\n", static_cast<unsigned long long>(left),
                   error.what());
      worker.keeper.send(fault_message(error));
    }
  }
}

// The one place where a worker's failures become what the keeper and the log are told.
int fail(KeeperLink& keeper, ExitCode code, const std::string& what, const std::string& help) {
  std::fprintf(stderr, "error: %s\n", what.c_str());
  if (!help.empty()) std::fprintf(stderr, "help: %s\n", help.c_str());
  protocol::FromWorker message;
  auto& failed = *message.mutable_failed();
  failed.set_exit_code(static_cast<int>(code));
  failed.set_message(what);
  failed.set_help(help);
  keeper.send(message);
  // Dying now would look like another failure: the controller ends the job and tells this worker to
  // leave.
  while (keeper.await_roster()) {
  }
  return static_cast<int>(code);
}

int train(KeeperLink& keeper, protocol::BlackBox& black_box) {
  const auto job = config::load_job(keeper.start().job()).job;
  at::set_num_threads(static_cast<int>(job.launch.threads_per_rank));
  comm::Listener listener(keeper.start().host());
  TrainingData data(job);
  Holding holding(job.model);
  Saving saving(job, keeper.start().attempt(), keeper);
  PhaseClock phases(black_box);
  Worker worker{job, keeper, black_box, phases, listener, data, holding, saving};
  serve(worker);
  saving.finish();
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace

int run_worker(FrameChannel channel, const FileDescriptor& black_box_file) {
  report_crashes();
  const MemoryMapping mapping(black_box_file);
  auto& black_box = protocol::black_box_in(mapping.bytes());
  black_box.phase = protocol::Phase::kStarting;
  const auto heartbeat = start_heartbeat(black_box);
  KeeperLink keeper(std::move(channel));
  try {
    return train(keeper, black_box);
  } catch (const config::ConfigError& error) {
    return fail(keeper, ExitCode::kConfiguration, error.what(), error.help());
  } catch (const DataError& error) {
    return fail(keeper, ExitCode::kData, error.what(), error.help());
  } catch (const checkpoint::CheckpointError& error) {
    return fail(keeper, ExitCode::kNoCheckpoint, error.what(), error.help());
  } catch (const StorageError& error) {
    return fail(keeper, ExitCode::kStorage, error.what(), error.help());
  } catch (const DivergedError& error) {
    return fail(keeper, ExitCode::kDiverged, error.what(), error.help());
  } catch (const std::bad_alloc&) {
    return fail(keeper, ExitCode::kOutOfMemory, "out of memory on this node",
                "use a smaller train.micro_batch, a smaller model, or fewer ranks per node");
  } catch (const c10::OutOfMemoryError& error) {
    return fail(keeper, ExitCode::kOutOfMemory, error.what_without_backtrace(),
                "use a smaller train.micro_batch, a smaller model, or fewer ranks per node");
  } catch (const Error& error) {
    return fail(keeper, ExitCode::kTrainingCode, error.what(), error.help());
  } catch (const std::exception& error) {
    return fail(keeper, ExitCode::kTrainingCode, error.what(), "");
  }
}

}  // namespace phalanx::runtime
