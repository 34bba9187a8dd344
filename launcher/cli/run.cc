#include "launcher/cli/run.h"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/check.h"
#include "base/file.h"
#include "base/process.h"
#include "comm/plugin.h"
#include "config/load.h"
#include "launcher/cli/attempt.h"
#include "launcher/cli/output_lock.h"
#include "launcher/cli/resolve.h"
#include "launcher/cli/run_file.h"
#include "launcher/cli/scratch_folder.h"
#include "launcher/cli/shown_path.h"
#include "launcher/cli/supervision.h"
#include "launcher/error.h"
#include "layout/registered_memory.h"
#include "protocol/exit_code.h"
#include "protocol/run_directory.h"

namespace phalanx::launcher {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kHost = "127.0.0.1";  // all nodes are emulated on this host

std::string random_secret() {
  unsigned char bytes[32];
  check(RAND_bytes(bytes, sizeof bytes) == 1, "the system has random bytes");
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

void print_settings(const config::LoadedJob& loaded, const Printer& printer) {
  auto list = Json::array();
  std::size_t key_width = 0, value_width = 0;
  for (const auto& [path, value, origin] : loaded.settings) {
    list.push_back({{"key", path}, {"value", value}, {"origin", origin}});
    key_width = std::max(key_width, path.size());
    value_width = std::max(value_width, value.size());
  }
  std::string text;
  for (const auto& [path, value, origin] : loaded.settings)
    text += fmt::format("{:<{}}  {:<{}}  # {}\n", path, key_width, value, value_width, origin);
  printer.print(list, text);
}

// What the attempt begins with.
std::string beginning_of(const Attempt& attempt, const config::Job& job) {
  if (attempt.finished)
    return fmt::format("finished already: {} is at step {} of {}\n", shown(attempt.checkpoint),
                       attempt.step, job.train.steps);
  if (attempt.checkpoint.empty()) return {};
  return fmt::format("going on from step {}: {}\n", attempt.step, shown(attempt.checkpoint));
}

void print_plan(const config::Job& job, const Attempt& attempt, const Printer& printer) {
  Json plan = as_json(job);
  plan["attempt"] = attempt.number;
  plan["finished"] = attempt.finished;
  plan["first_step"] = attempt.step + 1;
  plan["checkpoint"] = attempt.checkpoint.empty() ? Json() : Json(attempt.checkpoint);
  printer.print(plan, describe(job) + beginning_of(attempt, job));
}

const comm::Backend& present_backend(const std::string& name) {
  try {
    return comm::find_backend(name, comm::plugin_folders(self_program()));
  } catch (const SystemError& error) {
    throw RefusedError(error.what(), error.help());
  }
}

// A backend that is there and reaches the job's device. Throws RefusedError.
const comm::Backend& backend_of(const config::Job& job) {
  const auto& backend = present_backend(job.launch.backend);
  if (backend.computes_on(job.launch.device)) return backend;
  throw RefusedError(
      fmt::format("launch.backend: {}: expected one for launch.device: {}, found one for {}",
                  backend.name, job.launch.device, comm::device_name(backend.devices.front())),
      fmt::format("set launch.backend: {}", job.launch.device == "cuda" ? "nccl" : "native"));
}

// Throws RefusedError without an mpirun.
protocol::MpiWorld mpi_world(const config::Job& job, const ScratchFolder& folder) {
  protocol::MpiWorld world;
  world.set_program(find_program("mpirun"));
  if (world.program().empty())
    throw RefusedError("launch.backend: " + job.launch.backend +
                           ": expected the program mpirun in PATH, found none",
                       "install Open MPI (openmpi-bin), or set launch.backend: native");
  world.set_socket(fmt::format("phalanx-{}-node", ::getpid()));
  world.set_ranks(static_cast<int>(job.launch.emulate_nodes * job.launch.ranks_per_node));
  world.set_folder(folder.path());
  return world;
}

protocol::StateSharing sharing_of(const config::Parallel& parallel) {
  protocol::StateSharing sharing;
  sharing.set_pipeline_ranks(static_cast<int>(parallel.pipeline));
  sharing.set_expert_ranks(static_cast<int>(parallel.expert));
  sharing.set_tensor_ranks(static_cast<int>(parallel.tensor));
  sharing.set_sharded(parallel.zero_stage > 0);
  return sharing;
}

// `scratch`: there when the backend needs mpirun.
std::vector<protocol::KeeperStart> keeper_starts(const config::Job& job, const Attempt& attempt,
                                                 const comm::Backend& backend,
                                                 const std::optional<ScratchFolder>& scratch) {
  const protocol::RunDirectory run(job.output);
  protocol::KeeperStart start;
  start.set_slots(static_cast<int>(job.launch.ranks_per_node));
  start.set_job(run.job_of(attempt.number));
  start.set_output(job.output);
  start.set_attempt(attempt.number);
  start.set_host(kHost);
  start.set_secret(random_secret());
  start.set_token(random_secret());
  if (backend.uses_node_memory) start.set_arena_bytes(layout::registered_bytes(job));
  if (scratch) *start.mutable_mpi() = mpi_world(job, *scratch);
  start.set_worker_program(std::filesystem::path(self_program()).parent_path() / "phalanx-worker");
  std::vector<protocol::KeeperStart> starts;
  for (int node = 0; node < job.launch.emulate_nodes; ++node) {
    start.set_node(node);
    start.set_name("node" + std::to_string(node));
    start.set_with_controller(node == 0);
    starts.push_back(start);
  }
  auto& controller = *starts.front().mutable_controller();
  controller.set_job(start.job());
  controller.set_output(start.output());
  controller.set_attempt(start.attempt());
  controller.set_nodes(static_cast<int>(job.launch.emulate_nodes));
  controller.set_slots_per_node(start.slots());
  controller.set_host(kHost);
  controller.set_token(start.token());
  controller.set_resume(attempt.checkpoint);
  controller.set_resume_step(attempt.step);
  controller.set_resume_is_chosen(attempt.chosen);
  *controller.mutable_sharing() = sharing_of(job.parallel);
  controller.set_needs_new_processes(backend.reforming ==
                                     comm::Backend::Reforming::kNeedsNewProcess);
  for (const auto& checkpoint : attempt.damaged) *controller.add_passed_over() = checkpoint;
  return starts;
}

void warn(const std::vector<protocol::PassedOver>& checkpoints) {
  for (const auto& checkpoint : checkpoints)
    std::cerr << fmt::format("warning: passed over {}: {}\n", shown(checkpoint.directory()),
                             checkpoint.reason());
}

// From now on the folder says nothing of how an earlier attempt ended.
void begin_attempt(const config::Job& job, int attempt) {
  const protocol::RunDirectory run(job.output);
  remove_run_file(job.output);
  std::error_code ignored;
  std::filesystem::remove(run.summary(), ignored);
  const std::string yaml = config::to_yaml(job);
  write_file_atomically(run.job_of(attempt), yaml);
  write_file_atomically(run.job(), yaml);
}

}  // namespace

int run(const RunOptions& options, const Printer& printer) {
  auto loaded = config::load_job(options.job, options.overrides);
  if (options.print_config) {
    print_settings(loaded, printer);
    return 0;
  }
  resolve(loaded);
  const auto& job = loaded.job;
  // All that can be refused is refused before anything is made.
  require_writable(job.output);
  Attempt attempt = plan_attempt(job, options.resume);
  if (options.dry_run) {
    print_plan(job, attempt, printer);
    return 0;
  }
  std::cerr << describe(job);
  const auto lock = lock_output(job.output);
  attempt = plan_attempt(job, options.resume);  // another run may have been at work until now
  warn(attempt.incomplete);
  if (attempt.finished) warn(attempt.damaged);  // else the controller names them
  std::cerr << beginning_of(attempt, job);
  const protocol::RunDirectory directory(job.output);
  int code = static_cast<int>(protocol::ExitCode::kDone);
  if (!attempt.finished) {
    const auto& backend = backend_of(job);
    std::optional<ScratchFolder> scratch;
    if (backend.start == comm::Backend::Start::kMpirun) scratch.emplace();
    const auto starts = keeper_starts(job, attempt, backend, scratch);
    begin_attempt(job, attempt.number);
    code = supervise(job, attempt.number, starts, lock);
  }
  if (printer.as_json() && std::filesystem::exists(directory.summary()))
    printer.print(Json::parse(read_file(directory.summary())), {});
  return code;
}

}  // namespace phalanx::launcher
