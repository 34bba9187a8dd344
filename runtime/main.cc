// phalanx-worker: one rank's process. `phalanx` starts it: as a nursery that forks workers, or to
// generate text.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "base/process.h"
#include "checkpoint/error.h"
#include "data/error.h"
#include "protocol/exit_code.h"
#include "protocol/nursery.h"
#include "runtime/generate.h"
#include "runtime/worker.h"

namespace {

using namespace phalanx;
using protocol::ExitCode;

constexpr int kKeeperChannel = 3;

int nursery() {
  set_process_name("phalanx-nursery");
  auto worker = protocol::run_nursery(kKeeperChannel);
  if (!worker) return 0;
  const int code = runtime::run_worker(std::move(worker->keeper), worker->black_box);
  // All has been said and written; taking LibTorch and the heap apart takes a second.
  std::fflush(nullptr);
  std::_Exit(code);
}

int generate(const runtime::GenerateOptions& options) {
  const auto say = [](const Error& error, ExitCode code) {
    std::cerr << "error: " << error.what() << '\n';
    if (!error.help().empty()) std::cerr << "help: " << error.help() << '\n';
    return static_cast<int>(code);
  };
  try {
    runtime::generate(options, [](const std::string& bytes) { std::cout << bytes << std::flush; });
    std::cout << '\n';
    return 0;
  } catch (const DataError& error) {
    return say(error, ExitCode::kData);
  } catch (const checkpoint::CheckpointError& error) {
    return say(error, ExitCode::kNoCheckpoint);
  } catch (const Error& error) {
    return say(error, ExitCode::kStorage);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Phalanx's worker; started by `phalanx`");
  app.require_subcommand(0, 1);
  int exit_code = 0;
  app.add_flag_callback(
      "--nursery", [&] { exit_code = nursery(); }, "Fork workers for a keeper");
  runtime::GenerateOptions options;
  auto* generation = app.add_subcommand("generate");
  generation->add_option("checkpoint", options.checkpoint)->required();
  generation->add_option("--prompt", options.prompt);
  generation->add_option("--tokens", options.tokens);
  generation->add_option("--temperature", options.temperature);
  generation->add_option("--seed", options.seed);
  generation->add_option("--threads", options.threads);
  generation->callback([&] { exit_code = generate(options); });
  CLI11_PARSE(app, argc, argv);
  return exit_code;
}
