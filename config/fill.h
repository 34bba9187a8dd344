#pragma once

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <string>

#include "config/findings.h"
#include "config/value.h"

namespace google::protobuf {
class Message;
}

namespace phalanx::config {

// Fills a schema::Job from YAML by reflection. What does not fit the schema is reported and left
// out; the rest is filled, so that one pass finds everything that is wrong.
class Fill {
 public:
  using Message = google::protobuf::Message;
  using Field = google::protobuf::FieldDescriptor;

  // `source` is a job file, whose places are `source` with line and column, or a flag. Relative
  // paths are relative to `folder`, which is absolute.
  enum class Source { kFile, kFlag };
  Fill(Source kind, std::string source, std::filesystem::path folder, Findings& findings);

  // The keys of the map `node` into `section`, which is the one at `path`.
  void section(Message& section, const YAML::Node& node, const std::string& path, const Place& key);
  // `node` as the value of `field` of `section`. `key` is where it is named.
  void field(Message& section, const Field& field, const YAML::Node& node, const std::string& path,
             const Place& key);
  // Element `index` of the list `field`, which has at least as many: of the list's size, a new one.
  void item(Message& section, const Field& field, int index, const YAML::Node& node,
            const std::string& path, const Place& key);
  // Whether the list `field` may have `size` elements; reports it if not.
  bool size_fits(const Field& field, int size, const std::string& path, const Place& place);

 private:
  void entry(Message& section, const std::string& name, const YAML::Node& value,
             const std::string& path, const Place& key);
  void list(Message& section, const Field& field, const YAML::Node& node, const std::string& path,
            const Place& key);
  void value(Message& section, const Field& field, int index, const YAML::Node& node,
             const std::string& path, const Place& key);
  void report(const Place& place, const std::string& path, const Complaint& complaint);
  Place place_of(const YAML::Node& node, const Place& key) const;

  Source kind_;
  std::string source_;
  std::filesystem::path folder_;
  Findings& findings_;
};

}  // namespace phalanx::config
