#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace phalanx::launcher {

// How a run ended whose processes have all gone, by what its folder holds.
struct Ending {
  std::string outcome;    // summary.json's, or "killed" when nobody could write one
  std::int64_t step = 0;  // the last that counts
  std::optional<std::int64_t> checkpoint;  // step of the newest that a run can go on from
  nlohmann::ordered_json summary;          // null when there is none
};
Ending ending_of(const std::filesystem::path& run);

// "over: done at step 300, exit code 0", and lines that say why, or what to do.
std::string as_text(const Ending& ending);
// As `phalanx status --json` shows it: phase "ended".
nlohmann::ordered_json as_json(const Ending& ending);

}  // namespace phalanx::launcher
