#pragma once

#include "config/job.h"

namespace phalanx::config {

namespace schema {
class Job;
}

// The same job in the two forms; values pass unchanged.
Job to_struct(const schema::Job& job);
schema::Job to_schema(const Job& job);

}  // namespace phalanx::config
