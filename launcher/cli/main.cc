// phalanx: all that a person or a scheduler calls, and the node's daemons.

#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "checkpoint/error.h"
#include "config/config_error.h"
#include "data/error.h"
#include "launcher/cli/command_line.h"
#include "launcher/cli/commands.h"
#include "launcher/error.h"
#include "layout/layout_error.h"
#include "protocol/exit_code.h"

namespace {

using namespace phalanx;
using protocol::ExitCode;

int say(const Error& error, ExitCode code) {
  std::cerr << "error: " << error.what() << '\n';
  if (!error.help().empty()) std::cerr << "help: " << error.help() << '\n';
  return static_cast<int>(code);
}

}  // namespace

// The one place where failures become exit codes.
int main(int argc, char** argv) {
  try {
    return launcher::run_command_line(launcher::all_commands(), {argv + 1, argv + argc});
  } catch (const config::ConfigError& error) {
    std::cerr << error.what() << '\n';
    return static_cast<int>(ExitCode::kConfiguration);
  } catch (const launcher::RefusedError& error) {
    return say(error, ExitCode::kConfiguration);
  } catch (const layout::LayoutError& error) {
    return say(error, ExitCode::kLayout);
  } catch (const data::DataError& error) {
    return say(error, ExitCode::kData);
  } catch (const launcher::DiffersError& error) {
    return say(error, ExitCode::kDiffers);
  } catch (const checkpoint::DamagedError& error) {
    return say(error, ExitCode::kDiffers);
  } catch (const checkpoint::CheckpointError& error) {
    return say(error, ExitCode::kNoCheckpoint);
  } catch (const StorageError& error) {
    return say(error, ExitCode::kStorage);
  } catch (const std::filesystem::filesystem_error& error) {
    return say(Error(error.what(), "correct the path, or its permissions"), ExitCode::kStorage);
  } catch (const launcher::LaunchError& error) {
    return say(error, ExitCode::kRendezvous);
  } catch (const SystemError& error) {
    return say(error, ExitCode::kOutOfMemory);
  } catch (const std::exception& error) {
    return say(Error(fmt::format("unexpected: {}", error.what()), "this is a bug of phalanx"),
               ExitCode::kBug);
  }
}
