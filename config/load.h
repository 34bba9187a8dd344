#pragma once

#include <string>
#include <vector>

#include "config/config_error.h"
#include "config/job.h"

namespace phalanx::config {

// A key with the value that the job goes by and where that comes from.
struct Setting {
  std::string path;    // "train.steps", "data.train.0.path"
  std::string value;   // as in YAML; paths are absolute
  std::string origin;  // "default", "job.yaml:12:5" or "--train.steps"
};

struct LoadedJob {
  Job job;
  std::vector<Setting> settings;  // every key, in the order of the schema
};

// Reads the job file `path` (YAML), then `overrides`: "train.steps=10", with or without leading
// dashes; elements of a list by index ("data.train.0.path" or "data.train[0].path"; one past the
// end appends); of two for one key the last counts. Relative paths are relative to the file's
// folder, those in overrides to the current folder. Throws ConfigError with everything that is
// wrong with the file and the overrides.
LoadedJob load_job(const std::string& path, const std::vector<std::string>& overrides = {});

// The same for the text of a job file, such as a checkpoint holds; `name` stands for its path.
LoadedJob load_job_text(const std::string& text, const std::string& name);

// The job as a YAML file that load_job reads back to an equal one, every key written out.
std::string to_yaml(const Job& job);

// Why a run of `before` cannot be resumed as `now`: a line "model.width: 256 before, 512 now" for
// each key that differs among those that make the run what it is (model, training data, seed).
// Steps, layout and launch are not among them.
std::vector<std::string> identity_differences(const Job& before, const Job& now);

// Every key that a flag can set, "data.train.0.path" standing for all elements of that list; for
// completion.
std::vector<std::string> setting_paths();

// docs/configuration.md: every key with type, default, range, meaning, and what is not supported
// yet.
std::string reference_markdown();

}  // namespace phalanx::config
