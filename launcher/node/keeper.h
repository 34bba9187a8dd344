#pragma once

namespace phalanx::node {

// The life of the process phalanx-keeper, the parent of all that runs on a node: the controller
// (where one is to be), the agent, the nursery and the workers. One thread that waits for nobody;
// it restarts its daemons when they die, reports what happens to workers, and gives the workers of
// each generation their shared memory. The first frame on `fd`, which it owns, is
// ToKeeper{KeeperStart}; FromKeeper goes back. When that channel ends, everything below is killed;
// when this process dies, the kernel does it.
//
// Returns what to exit with: 0 after EndNode, 1 when the node was cut off or could not go on.
int run_keeper(int fd);

}  // namespace phalanx::node
