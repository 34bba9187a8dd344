#include "comm/native/strand.h"

#include <algorithm>

namespace phalanx::comm {

bool Wait::reached() const {
  if (branches != nullptr)
    return std::any_of(branches->begin(), branches->end(),
                       [](const Strand& branch) { return branch.wait().reached(); });
  return counter == nullptr || counter->load() >= target;
}

void Wait::for_each(const std::function<void(const Wait&)>& look) const {
  if (branches == nullptr) return look(*this);
  for (const Strand& branch : *branches) branch.wait().for_each(look);
}

}  // namespace phalanx::comm
