#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/job.h"

namespace phalanx::launcher {

// Looks at the job's data: opens the token files, checks that the job's tokenizer made them and
// that they are long enough, and fills in `model.vocab_size: auto`. Throws DataError, ConfigError.
void resolve(config::Job& job);

// A few lines about what a resolved job will do: ranks, parameters, tokens, memory of the state.
std::string describe(const config::Job& job);
nlohmann::ordered_json as_json(const config::Job& job);

}  // namespace phalanx::launcher
