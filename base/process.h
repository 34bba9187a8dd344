#pragma once

#include <sys/types.h>

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file_descriptor.h"

namespace phalanx {

// A program to start. Descriptors not named are not inherited.
struct Command {
  std::string program;                 // a path
  std::vector<std::string> arguments;  // without argv[0]
  std::string process_name;            // argv[0]; what /proc/PID/comm shows is the child's to set
  std::map<int, int>
      descriptors;  // child's number -> ours; 0, 1 and 2 are inherited when not named
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours
  int death_signal =
      0;  // sent to the child when the calling thread ends (PR_SET_PDEATHSIG); 0: none
  bool new_session =
      false;  // setsid(2): out of the terminal's reach, so that Ctrl-C goes to us alone
};

// Starts a program. Throws SystemError when it cannot be started (also when exec fails).
pid_t start_process(const Command& command);

// How a process ended.
struct ExitStatus {
  pid_t pid = 0;
  int code = 0;                  // exit status, when signal is 0
  int signal = 0;                // what killed it
  std::string describe() const;  // "exit status 3", "signal 9 (Killed)"
};

// Any child that has ended, reaped; empty when none has. Never blocks.
std::optional<ExitStatus> reap_any();
// Whether a child is there, alive or not reaped yet.
bool has_children();
// Waits for one child. Throws SystemError when it is none of ours.
ExitStatus wait_for(pid_t pid);

// Sets what ps and /proc/PID/comm show for this process (15 characters).
void set_process_name(const std::string& name);
// The path of the running program.
std::string self_program();
// The path of the program that a shell would start by this name; empty when there is none.
std::string find_program(const std::string& name);
// From now on orphans below this process are its own to reap (PR_SET_CHILD_SUBREAPER).
void become_subreaper();
// Asks for `signal` when the parent dies, and dies at once if the parent is no longer
// `expected_parent`.
void die_with_parent(pid_t expected_parent, int signal);
// From now on these signals are ignored, here and in what is forked from here; a started program
// has them as usual.
void ignore_signals(std::initializer_list<int> signals);
// Standard output and error go to `file` from now on.
void redirect_output(const FileDescriptor& file);
// When this process started, in clock ticks since boot: with its pid this names it for ever. 0 if
// it has gone.
unsigned long long start_time(pid_t pid);

}  // namespace phalanx
