#pragma once

#include <functional>
#include <list>

#include "comm/native/strand.h"

namespace phalanx::comm {

// Tasks that run side by side as parts of one operation. Destroying it abandons them.
class Branches {
 public:
  explicit Branches(Strand& whole) : whole_(whole) {}

  void start(const std::function<Task(Strand&)>& body);
  // Until at most `count` of them go on. Throws what ended one of them.
  Task at_most(std::size_t count);

 private:
  bool step();

  Strand& whole_;
  std::list<Strand> going_on_;
};

}  // namespace phalanx::comm
