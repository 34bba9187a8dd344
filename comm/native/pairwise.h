#pragma once

#include <optional>
#include <span>
#include <vector>

#include "comm/native/collective.h"
#include "comm/native/message.h"

namespace phalanx::comm {

// Gather, scatter and all-to-all: what a rank has for another goes straight to it. An all-to-all
// goes in rounds, in round k from each rank to the one k places further, a few rounds at a time.
class Pairwise {
 public:
  Pairwise(const GroupMembers& members, Messages& transport)
      : members_(members), transport_(transport) {}

  // Whatever the collective needs of this rank's memory. Throws SystemError.
  void prepare(const Collective& collective);
  Task run(Strand& strand, const Collective& collective);

 private:
  const GroupMembers& members_;
  Messages& transport_;
};

}  // namespace phalanx::comm
