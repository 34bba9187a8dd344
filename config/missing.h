#pragma once

#include <string>

#include "config/findings.h"

namespace google::protobuf {
class Message;
}

namespace phalanx::config {

// Reports the required keys of `job`, a schema::Job, that nobody wrote, each at the section where
// it belongs; `start` is the beginning of the job file. Keys with a problem are passed over.
void report_missing_keys(const google::protobuf::Message& job, const Place& start,
                         Findings& findings);

}  // namespace phalanx::config
