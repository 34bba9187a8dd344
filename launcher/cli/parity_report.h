#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "protocol/messages.pb.h"

namespace phalanx::launcher {

// What rounding may do in a precision to gradients (relative in the norm of a tensor), and to
// losses and gradient norms of a few steps (relative).
struct ParityTolerance {
  std::string_view precision;
  double gradient, step;
};
ParityTolerance parity_tolerance(const std::string& precision);

// The first thing that differs by more, for people: gradients in the order of the forward pass,
// then loss and norm of each step. Empty if nothing does; what is not a number differs.
std::string first_difference(const protocol::ParityResult& result,
                             const ParityTolerance& tolerance);

nlohmann::ordered_json parity_json(const protocol::ParityResult& result,
                                   const ParityTolerance& tolerance);
std::string parity_text(const protocol::ParityResult& result, const ParityTolerance& tolerance);

}  // namespace phalanx::launcher
