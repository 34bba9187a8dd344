#pragma once

#include <string>

#include "config/findings.h"

namespace google::protobuf {
class Message;
}

namespace phalanx::config {

// Sets what the flag `argument` ("--train.steps=10") names in `job`, a schema::Job whose lists have
// their defaults. What is wrong with it is reported.
void fill_from_flag(google::protobuf::Message& job, const std::string& argument,
                    Findings& findings);

}  // namespace phalanx::config
