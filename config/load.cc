#include "config/load.h"

#include <filesystem>

#include "config/convert.h"
#include "config/fill.h"
#include "config/flags.h"
#include "config/job.pb.h"
#include "config/job_file.h"
#include "config/missing.h"
#include "config/reflection.h"
#include "config/rules.h"

namespace phalanx::config {
namespace {

// What the whole job says, with every key that nobody wrote at its default.
schema::Job fill(const JobFile& file, const std::vector<std::string>& overrides,
                 Findings& findings) {
  schema::Job job;
  const auto document = file.parse(findings);
  if (document) {
    Fill from_file(Fill::Source::kFile, file.name(), file.folder(), findings);
    from_file.section(job, *document, "", {file.name(), 1, 1});
  }
  fill_default_lists(job);
  for (const auto& argument : overrides) fill_from_flag(job, argument, findings);
  if (document) report_missing_keys(job, {file.name(), 1, 1}, findings);
  if (document) report_broken_rules(to_struct(job), {file.name(), 1, 1}, findings);
  return job;
}

std::vector<Setting> settings(const schema::Job& job, const Findings& findings) {
  std::vector<Setting> result;
  for (auto& leaf : leaves(job)) {
    const auto* place = findings.find(leaf.path);
    result.push_back({leaf.path, leaf.value, place ? place->text() : "default"});
  }
  return result;
}

LoadedJob load(const JobFile& file, const std::vector<std::string>& overrides, Findings& findings) {
  const auto job = fill(file, overrides, findings);
  auto problems = findings.take_problems();
  for (auto& problem : problems) problem.excerpt = file.excerpt(problem.place);
  if (!problems.empty()) throw ConfigError(std::move(problems));
  return {to_struct(job), settings(job, findings)};
}

}  // namespace

LoadedJob load_job(const std::string& path, const std::vector<std::string>& overrides) {
  Findings findings;
  const JobFile file(path, findings);
  return load(file, overrides, findings);
}

LoadedJob load_job_text(const std::string& text, const std::string& name) {
  Findings findings;
  return load(JobFile(name, text), {}, findings);
}

}  // namespace phalanx::config
