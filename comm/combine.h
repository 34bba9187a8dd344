#pragma once

#include <cstddef>

#include "comm/group.h"

namespace phalanx::comm {

// The type in which elements are reduced: fp32 for bf16 and fp16, else their own.
ElementType accumulation_type(ElementType type);

// Elements of `type`, somewhere.
struct Operand {
  const std::byte* data;
  ElementType type;
};

// Where a result goes: to one place, or to two in one pass, which spares memory the copy.
struct Places {
  std::byte *first, *second = nullptr;
};

// result[i] := left[i] reduced with right[i]. Each of the three is of one element type or of its
// accumulation type; computes in the latter, rounds to nearest even. The result may be an operand
// (the same address), not overlap one otherwise.
void combine(Reduction reduction, Operand left, Operand right, Places results,
             ElementType result_type, std::size_t count);

// The same elements in another type: an element type's accumulation type, or from that back.
void convert(Operand from, std::byte* to, ElementType type, std::size_t count);

}  // namespace phalanx::comm
