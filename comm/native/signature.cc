#include "comm/native/signature.h"

#include <fmt/format.h>

#include "comm/ending.h"

namespace phalanx::comm {

std::string describe(const Signature& signature) {
  return fmt::format("{} {} ({} of {} {} a slice, root {})",
                     operation_name(static_cast<Operation>(signature.operation)),
                     signature.sequence,
                     reduction_name(static_cast<Reduction>(signature.reduction)), signature.count,
                     element_type_name(static_cast<ElementType>(signature.type)), signature.root);
}

void expect_same(const Signature& expected, const Signature& found, int rank) {
  if (found == expected) return;
  throw Ending{CommError::Kind::kMismatch, rank,
               fmt::format("expected {}, found {}", describe(expected), describe(found))};
}

}  // namespace phalanx::comm
