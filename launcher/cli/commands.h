#pragma once

#include <vector>

#include "launcher/cli/subcommand.h"

namespace phalanx::launcher {

// All commands, in the order in which help lists them.
std::vector<Subcommand> all_commands();

// The same by file, each named after what it is about: <name>_commands.cc.
std::vector<Subcommand> job_commands();  // run, validate
std::vector<Subcommand> plan_commands();
std::vector<Subcommand> status_commands();  // status, cancel
std::vector<Subcommand> trace_commands();   // trace
std::vector<Subcommand> ckpt_commands();    // ckpt ls, ckpt inspect, ckpt verify
std::vector<Subcommand> generate_commands();
std::vector<Subcommand> parity_commands();
std::vector<Subcommand> data_commands();    // data prepare, data inspect, data baseline
std::vector<Subcommand> daemon_commands();  // keeper, agent, controller: started by each other

}  // namespace phalanx::launcher
