#pragma once

namespace phalanx::node {

// The life of the process phalanx-agent: relays reports and commands between its keeper (frames on
// `fd`, which it owns) and the controller (Control.Attach), and watches the workers' black boxes.
// It holds nothing that is lost with it. Returns what to exit with, when the keeper has gone.
int run_agent(int fd);

}  // namespace phalanx::node
