#include "protocol/nursery.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/process.h"
#include "protocol/messages.pb.h"

namespace phalanx::protocol {
namespace {

struct Pipe {
  FileDescriptor read_end, write_end;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw SystemError(describe_errno("pipe2"));
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

// In the worker. It is let go once its parent is the keeper and the keeper has been told its pid;
// until then the nursery's death is its own.
void wait_to_be_let_go(Pipe& go, pid_t keeper) {
  go.write_end.reset();
  char byte = 0;
  if (::read(go.read_end.get(), &byte, 1) != 1) ::_exit(0);
  die_with_parent(keeper, SIGKILL);
}

// Forks twice, so that the worker is an orphan, whom the keeper adopts. True in the worker.
bool fork_worker(FrameChannel& channel, int slot, pid_t keeper) {
  Pipe go = make_pipe(), born = make_pipe();
  std::fflush(nullptr);
  const pid_t middle = ::fork();
  if (middle < 0) throw SystemError(describe_errno("fork"));
  if (middle == 0) {
    const pid_t worker = ::fork();
    if (worker == 0) {
      born = {};
      wait_to_be_let_go(go, keeper);
      return true;
    }
    (void)!::write(born.write_end.get(), &worker, sizeof worker);
    ::_exit(0);
  }
  go.read_end.reset();
  born.write_end.reset();
  wait_for(middle);
  pid_t worker = -1;
  if (::read(born.read_end.get(), &worker, sizeof worker) != sizeof worker || worker < 0)
    throw SystemError("fork: a worker could not be forked",
                      "see the limit of processes on this node (ulimit -u)");
  Forked forked;
  forked.set_slot(slot);
  forked.set_pid(worker);
  if (channel.send(forked.SerializeAsString())) (void)!::write(go.write_end.get(), "g", 1);
  return false;
}

}  // namespace

std::optional<ForkedWorker> run_nursery(int fd) {
  set_process_name("phalanx-nursery");
  // A signal to the whole job is phalanx run's to answer, by saving and stopping.
  ignore_signals({SIGINT, SIGTERM, SIGHUP, SIGPIPE});
  const pid_t keeper = ::getppid();
  FrameChannel channel{FileDescriptor(fd)};
  while (true) {
    Frame frame;
    const auto status = channel.receive(frame, TimePoint::max());
    if (status == FrameChannel::Status::kEnd) return std::nullopt;
    ForkWorker request;
    if (status != FrameChannel::Status::kFrame || !request.ParseFromString(frame.payload) ||
        frame.descriptors.size() != 3)
      continue;
    if (!fork_worker(channel, request.slot(), keeper)) continue;
    channel.close();
    set_process_name("phalanx-worker");
    for (auto& entry : *request.mutable_environment()) ::putenv(::strdup(entry.c_str()));
    redirect_output(frame.descriptors[1]);
    return ForkedWorker{FrameChannel(std::move(frame.descriptors[0])),
                        std::move(frame.descriptors[2]), request.slot()};
  }
}

}  // namespace phalanx::protocol
