#pragma once

namespace phalanx::control {

// The body of the process phalanx-control. `fd` is its end of a FrameChannel to its keeper, which
// sends ControllerStart first and is answered with ControllerAddress. Returns the process's exit
// code: 0 when the job has ended and whoever watched has been told, or when the keeper has gone;
// other ExitCodes when it could not serve, with the reason in its log.
int run_controller(int fd);

}  // namespace phalanx::control
