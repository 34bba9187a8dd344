#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/error.h"

extern char** environ;

namespace phalanx {
namespace {

// What the child needs between fork and exec, prepared before: there it may call only
// async-signal-safe functions.
struct Prepared {
  std::vector<char*> argv;
  std::vector<std::string> environment_text;
  std::vector<char*> environment;
  std::vector<std::pair<int, int>> moves;  // ours (lifted above every target) -> child's number
};

Prepared prepare(const Command& command, std::vector<FileDescriptor>& lifted) {
  Prepared prepared;
  prepared.argv.push_back(const_cast<char*>(
      command.process_name.empty() ? command.program.c_str() : command.process_name.c_str()));
  for (const auto& argument : command.arguments)
    prepared.argv.push_back(const_cast<char*>(argument.c_str()));
  prepared.argv.push_back(nullptr);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const bool replaced = std::ranges::any_of(command.environment, [&](const auto& added) {
      return text.starts_with(added.first + "=");
    });
    if (!replaced) prepared.environment_text.push_back(text);
  }
  for (const auto& [name, value] : command.environment)
    prepared.environment_text.push_back(name + "=" + value);
  for (auto& text : prepared.environment_text) prepared.environment.push_back(text.data());
  prepared.environment.push_back(nullptr);
  int above = 3;
  for (const auto& [target, ours] : command.descriptors) above = std::max(above, target + 1);
  for (const auto& [target, ours] : command.descriptors) {
    const int copy = ::fcntl(ours, F_DUPFD_CLOEXEC, above);
    if (copy < 0) throw SystemError(describe_errno("fcntl(F_DUPFD_CLOEXEC)"));
    lifted.emplace_back(copy);
    prepared.moves.emplace_back(copy, target);
  }
  return prepared;
}

[[noreturn]] void run_child(const Command& command, const Prepared& prepared, pid_t parent,
                            int failure_pipe) {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (command.new_session) ::setsid();
  if (command.death_signal != 0) {
    ::prctl(PR_SET_PDEATHSIG, command.death_signal);
    if (::getppid() != parent) ::_exit(127);
  }
  bool moved = true;
  for (const auto& [from, to] : prepared.moves) moved = moved && ::dup2(from, to) >= 0;
  if (moved) ::execve(command.program.c_str(), prepared.argv.data(), prepared.environment.data());
  const int error = errno;
  (void)!::write(failure_pipe, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

pid_t start_process(const Command& command) {
  std::vector<FileDescriptor> lifted;
  const Prepared prepared = prepare(command, lifted);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw SystemError(describe_errno("pipe2"));
  const FileDescriptor read_end(ends[0]);
  FileDescriptor write_end(::fcntl(ends[1], F_DUPFD_CLOEXEC, 100));
  ::close(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw SystemError(describe_errno("fork"));
  if (child == 0) run_child(command, prepared, parent, write_end.get());
  write_end.reset();
  int error = 0;
  if (::read(read_end.get(), &error, sizeof error) == sizeof error) {
    ::waitpid(child, nullptr, 0);
    errno = error;
    throw SystemError(describe_errno("start " + command.program));
  }
  return child;
}

std::string ExitStatus::describe() const {
  if (signal == 0) return "exit status " + std::to_string(code);
  return "signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
}

namespace {
ExitStatus decode(pid_t pid, int status) {
  if (WIFSIGNALED(status)) return {pid, 0, WTERMSIG(status)};
  return {pid, WEXITSTATUS(status), 0};
}
}  // namespace

std::optional<ExitStatus> reap_any() {
  int status = 0;
  const pid_t pid = ::waitpid(-1, &status, WNOHANG);
  if (pid <= 0) return std::nullopt;
  return decode(pid, status);
}

bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

ExitStatus wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) throw SystemError(describe_errno("waitpid " + std::to_string(pid)));
  return decode(pid, status);
}

void set_process_name(const std::string& name) { ::prctl(PR_SET_NAME, name.substr(0, 15).c_str()); }

std::string self_program() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length < 0) throw SystemError(describe_errno("readlink /proc/self/exe"));
  return {path, static_cast<std::size_t>(length)};
}

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');)
    if (const std::string file = folder + "/" + name; ::access(file.c_str(), X_OK) == 0)
      return file;
  return {};
}

void become_subreaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
    throw SystemError(describe_errno("prctl(PR_SET_CHILD_SUBREAPER)"));
}

void die_with_parent(pid_t expected_parent, int signal) {
  ::prctl(PR_SET_PDEATHSIG, signal);
  if (::getppid() != expected_parent) ::raise(signal);
}

void ignore_signals(std::initializer_list<int> signals) {
  for (const int signal : signals) ::signal(signal, SIG_IGN);
}

void redirect_output(const FileDescriptor& file) {
  for (const int standard : {STDOUT_FILENO, STDERR_FILENO})
    if (::dup2(file.get(), standard) < 0) throw SystemError(describe_errno("dup2"));
}

unsigned long long start_time(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto name_end = text.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  return std::strtoull(field.c_str(), nullptr, 10);
}

}  // namespace phalanx
