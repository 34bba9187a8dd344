// phalanx-worker: one rank's process. `phalanx` starts it: as a nursery that forks workers, or to
// generate text.

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "base/frame.h"
#include "base/process.h"
#include "checkpoint/error.h"
#include "data/error.h"
#include "protocol/exit_code.h"
#include "protocol/messages.pb.h"
#include "protocol/nursery.h"
#include "runtime/generate.h"
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

int generate() {
  const auto say = [](const Error& error, ExitCode code) {
    std::cerr << "error: " << error.what() << '\n';
    if (!error.help().empty()) std::cerr << "help: " << error.help() << '\n';
    return static_cast<int>(code);
  };
  FrameChannel client{FileDescriptor(kChannel)};
  Frame frame;
  protocol::Generate request;
  if (client.receive(frame, TimePoint::max()) != FrameChannel::Status::kFrame ||
      !request.ParseFromString(frame.payload))
    return static_cast<int>(ExitCode::kBug);
  try {
    runtime::generate(request, [&](const std::string& bytes) {
      protocol::Generated generated;
      generated.set_text(bytes);
      (void)client.send(generated.SerializeAsString());  // we die with whom we send it to
    });
    return static_cast<int>(ExitCode::kDone);
  } catch (const DataError& error) {
    return say(error, ExitCode::kData);
  } catch (const checkpoint::DamagedError& error) {
    return say(error, ExitCode::kDiffers);
  } catch (const checkpoint::CheckpointError& error) {
    return say(error, ExitCode::kNoCheckpoint);
  } catch (const Error& error) {
    return say(error, ExitCode::kStorage);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view role = argc == 2 ? argv[1] : "";
  if (role == "--nursery") return nursery();
  if (role == "--generate") return generate();
  std::cerr << "error: phalanx-worker: started by hand\nhelp: `phalanx` starts it\n";
  return static_cast<int>(ExitCode::kConfiguration);
}
