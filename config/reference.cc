#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include "config/job.pb.h"
#include "config/load.h"
#include "config/reflection.h"
#include "config/schema.pb.h"
#include "config/value.h"
#include "config/wording.h"

namespace phalanx::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr auto kIntroduction =
    R"(<!-- Made from config/job.proto by phalanx-config-reference; edit that file, then:
     cmake --build build --target phalanx-config-reference
     build/config/phalanx-config-reference > docs/configuration.md -->
# Configuration

A job is one YAML file. This one is complete; every other key has a default:

```yaml
name: tiny-code-model
model: {layers: 4, width: 256, heads: 4, kv_heads: 2, ffn_width: 704, sequence_length: 256}
data:
  train: [{path: corpus/train.tokens}]
train: {steps: 200, global_batch: 16}
output: runs/tiny-code-model
```

- Every key is also a flag, which wins over the file: `--train.steps=400`, `--data.train.0.path=other.tokens`,
  `--train.optimizer.betas=[0.9, 0.99]`. Of two flags for one key the last counts.
- Relative paths start at the folder of the job file, those in flags at the current folder.
- An unknown key, a value out of range, or values that do not go together are errors, reported all at once with
  file, line and column, before anything starts. `phalanx validate job.yaml` does only that.
- `phalanx run job.yaml --print-config` shows every value and where it comes from. The job that a run went by is kept
  in `OUTPUT/job.yaml`.
- A run can be resumed with other steps, layout or launch, but not with another model, other training data or another
  seed: the keys marked † must stay.
- A value *not supported yet* is known to Phalanx and refused by this version.

)";

bool is_section(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

std::string code(const std::string& text) { return "`" + text + "`"; }

std::string type_of(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.is_repeated()) return "text, or list of texts";
      return field.options().GetExtension(schema::is_path) ? "path" : "text";
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return field.is_repeated() ? "list of numbers" : "number";
    default:
      return "whole number";
  }
}

std::string default_of(const FieldDescriptor& field) {
  if (field.options().GetExtension(schema::required)) return "*required*";
  const auto* message =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(field.containing_type());
  const std::unique_ptr<google::protobuf::Message> defaults(message->New());
  fill_default_lists(*defaults);
  return code(value_text(*defaults, field));
}

// What is in the range of `field` but not built, in words; empty if all is.
std::string not_supported_yet(const FieldDescriptor& field) {
  const auto& options = field.options();
  std::vector<std::string> words;
  for (const auto& word : options.GetRepeatedExtension(schema::planned))
    words.push_back(code(word));
  if (!words.empty()) return "not supported yet: " + fmt::format("{}", fmt::join(words, ", "));
  const bool one_word = options.ExtensionSize(schema::allowed) == 1;
  return one_word || options.HasExtension(schema::only) ? "others are not supported yet" : "";
}

std::string values_of(const FieldDescriptor& field) {
  const auto& options = field.options();
  const auto missing = not_supported_yet(field);
  if (!missing.empty()) return code(describe_values(field)) + "; " + missing;
  if (field.is_repeated()) return describe_values(field);
  if (options.ExtensionSize(schema::allowed) > 0) return code(describe_values(field));
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) return "not empty";
  const bool is_automatic = options.HasExtension(schema::automatic);
  const auto automatic = fmt::format("`auto` ({}), or ", options.GetExtension(schema::automatic));
  return (is_automatic ? automatic : "") + describe_range(field);
}

std::string row(const FieldDescriptor& field) {
  const auto& options = field.options();
  const auto mark = options.GetExtension(schema::identity) ? " †" : "";
  return fmt::format("| {}{} | {} | {} | {} | {} |\n", code(field.name()), mark, type_of(field),
                     default_of(field), values_of(field), options.GetExtension(schema::help));
}

std::string table(const Descriptor& section) {
  std::string rows;
  for (int i = 0; i < section.field_count(); ++i)
    if (!is_section(*section.field(i))) rows += row(*section.field(i));
  if (rows.empty()) return "";
  return "| Key | Type | Default | Values | Meaning |\n|---|---|---|---|---|\n" + rows + "\n";
}

// The sections inside `section`, each with a heading, its table, and those inside it.
std::string sections(const Descriptor& section, const std::string& path) {
  std::string text;
  for (int i = 0; i < section.field_count(); ++i) {
    const auto& field = *section.field(i);
    if (!is_section(field)) continue;
    const auto child = join_path(path, field.name());
    text += fmt::format("## {}\n\n{}", code(child), field.options().GetExtension(schema::help));
    if (field.options().GetExtension(schema::required)) text += " Required.";
    if (field.is_repeated())
      text += fmt::format(" A list; in flags the first element is `--{}.0`.", child);
    if (field.options().GetExtension(schema::only_items) == 1)
      text += " More than one element is not supported yet.";
    text += "\n\n" + table(*field.message_type()) + sections(*field.message_type(), child);
  }
  return text;
}

void collect_paths(const Descriptor& section, const std::string& path,
                   std::vector<std::string>& paths) {
  for (int i = 0; i < section.field_count(); ++i) {
    const auto& field = *section.field(i);
    const auto child = join_path(path, field.name());
    if (is_section(field))
      collect_paths(*field.message_type(), field.is_repeated() ? join_path(child, "0") : child,
                    paths);
    else
      paths.push_back(child);
  }
}

}  // namespace

std::vector<std::string> setting_paths() {
  std::vector<std::string> paths;
  collect_paths(*schema::Job::descriptor(), "", paths);
  return paths;
}

std::string reference_markdown() {
  const auto& job = *schema::Job::descriptor();
  auto text = std::string(kIntroduction) + table(job) + sections(job, "");
  text.pop_back();  // the blank line after the last table
  return text;
}

}  // namespace phalanx::config
