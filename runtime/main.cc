// phalanx-worker: one rank's process. `phalanx` starts it: as a nursery that forks workers, to
// generate text, or to compare layouts.

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string_view>

#include "base/frame.h"
#include "base/process.h"
#include "protocol/exit_code.h"
#include "protocol/messages.pb.h"
#include "protocol/nursery.h"
#include "runtime/failure.h"
#include "runtime/generate.h"
#include "runtime/parity.h"
#include "runtime/worker.h"

namespace {

using namespace phalanx;
using protocol::ExitCode;

constexpr int kChannel = 3;  // our end of the socket pair with whoever started us

int nursery() {
  set_process_name("phalanx-nursery");
  auto worker = protocol::run_nursery(kChannel);
  if (!worker) return 0;
  const int code = runtime::run_worker(std::move(worker->keeper), worker->black_box);
  // All has been said and written; taking LibTorch and the heap apart takes a second.
  std::fflush(nullptr);
  std::_Exit(code);
}

// Serves a client of the command line (launcher/cli/worker_call.h): its request, then what `body`
// makes of it.
template <class Request>
int serve(const std::function<void(const Request&, FrameChannel&)>& body) {
  FrameChannel client{FileDescriptor(kChannel)};
  Frame frame;
  Request request;
  if (client.receive(frame, TimePoint::max()) != FrameChannel::Status::kFrame ||
      !request.ParseFromString(frame.payload))
    return static_cast<int>(ExitCode::kBug);
  try {
    body(request, client);
    return static_cast<int>(ExitCode::kDone);
  } catch (const std::exception&) {
    const auto failure = runtime::current_failure();
    std::cerr << "error: " << failure.message << '\n';
    if (!failure.help.empty()) std::cerr << "help: " << failure.help << '\n';
    return static_cast<int>(failure.code);
  }
}

int generate() {
  return serve<protocol::Generate>([](const auto& request, auto& client) {
    runtime::generate(request, [&](const std::string& bytes) {
      protocol::Generated generated;
      generated.set_text(bytes);
      (void)client.send(generated.SerializeAsString());  // we die with whom we send it to
    });
  });
}

int parity() {
  return serve<protocol::Parity>([](const auto& request, auto& client) {
    (void)client.send(runtime::parity(request).SerializeAsString());
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view role = argc == 2 ? argv[1] : "";
  if (role == "--nursery") return nursery();
  if (role == "--generate") return generate();
  if (role == "--parity") return parity();
  std::cerr << "error: phalanx-worker: started by hand\nhelp: `phalanx` starts it\n";
  return static_cast<int>(ExitCode::kConfiguration);
}
