#pragma once

#include "protocol/messages.pb.h"

namespace phalanx::runtime {

// Trains the job in both layouts from the same start, and says by how much they differ: the norm of
// the difference of each tensor's gradient over the norm of the gradient, or over a millionth of
// the whole gradient's where that is more, for some gradients are nothing but rounding. The ranks
// of a layout are threads of this process. Throws LayoutError, ConfigError, DataError.
protocol::ParityResult parity(const protocol::Parity& request);

}  // namespace phalanx::runtime
