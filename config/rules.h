#pragma once

#include "config/findings.h"
#include "config/job.h"

namespace phalanx::config {

// Reports what does not go together in `job`, each at the key that is easiest to change. Rules
// about keys that have a problem of their own are passed over. `file` is the place of keys that
// nobody wrote.
void report_broken_rules(const Job& job, const Place& file, Findings& findings);

}  // namespace phalanx::config
