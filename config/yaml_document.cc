#include "config/yaml_document.h"

#include <yaml-cpp/eventhandler.h>

#include <sstream>

namespace phalanx::config {
namespace {

using YAML::EmitterStyle;
using YAML::Mark;

// Where the document begins that a parser has just read.
class DocumentStart : public YAML::EventHandler {
 public:
  const Mark& mark() const { return mark_; }

  void OnDocumentStart(const Mark& mark) override { mark_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, YAML::anchor_t) override {}
  void OnAlias(const Mark&, YAML::anchor_t) override {}
  void OnScalar(const Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const Mark&, const std::string&, YAML::anchor_t,
                       EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark&, const std::string&, YAML::anchor_t, EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  Mark mark_;
};

}  // namespace

YAML::Node parse_document(const std::string& text) {
  // YAML::LoadAll would do, but yaml-cpp 0.7 reads an empty document again and again, for ever,
  // where a comma or a bracket stands that nothing opened.
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStart first, second;
  if (!parser.HandleNextDocument(first)) return YAML::Node();
  if (parser.HandleNextDocument(second)) {
    const bool made_progress = second.mark().pos > first.mark().pos;
    throw YAML::ParserException(second.mark(),
                                made_progress ? "a second document" : "a character out of place");
  }
  return YAML::Load(text);
}

}  // namespace phalanx::config
