#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/load.h"

namespace phalanx::launcher {

// `model.vocab_size: auto` becomes what the tokenizer needs. Throws ConfigError where fewer words
// are asked for.
void resolve_vocabulary(config::LoadedJob& loaded);

// Looks at what the job's data asks for: fills in `model.vocab_size: auto`, opens the token files,
// checks that the job's tokenizer made them and that they are long enough. Throws ConfigError for a
// vocabulary that is too small, DataError for the files: all that are wrong, each with its key and
// where that was set.
void resolve(config::LoadedJob& loaded);

// "0.80M parameters", "3.34T parameters".
std::string parameters_text(const config::Job& job);

// A few lines about what a resolved job will do: ranks, parameters, tokens, memory of the state.
std::string describe(const config::Job& job);
nlohmann::ordered_json as_json(const config::Job& job);

}  // namespace phalanx::launcher
