#include "comm/native/branches.h"

namespace phalanx::comm {

void Branches::start(const std::function<Task(Strand&)>& body) {
  Strand& branch = going_on_.emplace_back(whole_.patience());
  branch.start(body(branch));
}

Task Branches::at_most(std::size_t count) {
  while (true) {
    while (step()) {
    }
    if (going_on_.size() <= count) co_return;
    co_await whole_.any_of(going_on_);
  }
}

// True when one of them has moved.
bool Branches::step() {
  bool moved = false;
  for (auto branch = going_on_.begin(); branch != going_on_.end();) {
    if (!branch->done() && branch->wait().reached()) {
      branch->resume();
      moved = true;
    }
    if (branch->done()) {
      branch->task().result();
      branch = going_on_.erase(branch);
    } else {
      ++branch;
    }
  }
  return moved;
}

}  // namespace phalanx::comm
