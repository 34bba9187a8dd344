#include "runtime/failure.h"

#include <c10/util/Exception.h>

#include <new>
#include <string>
#include <system_error>

#include "checkpoint/error.h"
#include "comm/backend.h"
#include "config/config_error.h"
#include "data/error.h"
#include "layout/layout_error.h"
#include "runtime/device.h"
#include "runtime/step.h"

namespace phalanx::runtime {
namespace {

using protocol::ExitCode;

constexpr auto kLessMemory =
    "use a smaller train.micro_batch, a smaller model, or fewer ranks per node";

Failure of(ExitCode code, const Error& error) { return {code, error.what(), error.help()}; }

// Only Torch's GPU allocators have a type of their own for it; the CPU's says it in words.
Failure of_torch(const c10::Error& error) {
  const std::string message = error.what_without_backtrace();
  if (message.find("can't allocate memory") != std::string::npos)
    return {ExitCode::kOutOfMemory, message, kLessMemory};
  return {ExitCode::kTrainingCode, message, {}};
}

}  // namespace

Failure current_failure() {
  try {
    throw;
  } catch (const config::ConfigError& error) {
    // Its text is one for a terminal, headed by what the teller of a failure writes itself.
    return {ExitCode::kConfiguration, std::string(error.what()).substr(sizeof "error: " - 1), {}};
  } catch (const layout::LayoutError& error) {
    return of(ExitCode::kLayout, error);
  } catch (const data::DataError& error) {
    return of(ExitCode::kData, error);
  } catch (const checkpoint::DamagedError& error) {
    return of(ExitCode::kDiffers, error);
  } catch (const checkpoint::CheckpointError& error) {
    return of(ExitCode::kNoCheckpoint, error);
  } catch (const comm::PlacementError& error) {
    return of(ExitCode::kPreflight, error);
  } catch (const StorageError& error) {
    return of(ExitCode::kStorage, error);
  } catch (const DeviceError& error) {
    return of(ExitCode::kPreflight, error);
  } catch (const DivergedError& error) {
    return of(ExitCode::kDiverged, error);
  } catch (const std::bad_alloc&) {
    return {ExitCode::kOutOfMemory, "out of memory on this node", kLessMemory};
  } catch (const c10::Error& error) {
    return of_torch(error);
  } catch (const SystemError& error) {
    return of(ExitCode::kOutOfMemory, error);
  } catch (const std::system_error& error) {  // no thread could be started
    return of(ExitCode::kOutOfMemory, SystemError(error.what()));
  } catch (const Error& error) {
    return of(ExitCode::kTrainingCode, error);
  } catch (const std::exception& error) {
    return {ExitCode::kTrainingCode, error.what(), {}};
  }
}

}  // namespace phalanx::runtime
