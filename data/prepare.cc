#include "data/prepare.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <thread>

#include "base/checksum.h"
#include "data/error.h"
#include "data/ordered_pipeline.h"
#include "data/pieces.h"
#include "data/token_file_writer.h"
#include "data/tokenizer.h"

namespace phalanx::data {
namespace {

constexpr std::uint64_t kPieceBytes = 1 << 20;

void check_options(const PrepareOptions& options) {
  if (options.output.empty()) throw DataError("expected the name of an output, found none");
  require_replaceable(options.output);
  if (options.threads < 0)
    throw DataError(fmt::format("threads: expected at least 0, found {}", options.threads));
  if (options.validation_output.empty()) {
    if (options.validation_fraction != 0)
      throw DataError("a validation fraction without a validation output",
                      "name the file that the validation documents go to");
    return;
  }
  if (!(options.validation_fraction > 0 && options.validation_fraction < 1))
    throw DataError(fmt::format("validation fraction: expected between 0 and 1, found {}",
                                options.validation_fraction));
  require_replaceable(options.validation_output);
  if (std::filesystem::weakly_canonical(options.validation_output) ==
      std::filesystem::weakly_canonical(options.output))
    throw DataError(options.output.string() + ": named for training and for validation",
                    "name two files");
}

// An output that is an input would be read now and replaced at the end.
void check_outputs_are_no_inputs(const PrepareOptions& options,
                                 const std::vector<SourceFile>& files) {
  for (const auto& output : {options.output, options.validation_output}) {
    if (!std::filesystem::exists(output)) continue;
    for (const SourceFile& file : files)
      if (std::filesystem::equivalent(file.path, output))
        throw DataError(file.path.string() + ": named as an input and as an output",
                        "write to another file");
  }
}

// In [0, 1), alike for the same document wherever it is prepared.
double split_position(const SourceFile& file, std::uint64_t offset) {
  const std::string name =
      file.has_json_lines() ? fmt::format("{}:{}", file.relative, offset) : file.relative;
  return std::ldexp(static_cast<double>(checksum64(name) >> 11), -53);
}

// What a piece becomes: its tokens, and where in them each document, or the part of one, ends.
struct EncodedPiece {
  struct Part {
    std::size_t end;
    bool for_validation;
    bool ends_document;
  };
  std::vector<Token> tokens;
  std::vector<Part> parts;
};

EncodedPiece encode_piece(const Piece& piece, const PrepareOptions& options,
                          const Tokenizer& tokenizer) {
  EncodedPiece encoded;
  visit_documents(piece, options.field, [&](const DocumentPart& part) {
    std::vector<Token> tokens = tokenizer.encode(part.text);
    if (encoded.tokens.empty())
      encoded.tokens = std::move(tokens);
    else
      encoded.tokens.insert(encoded.tokens.end(), tokens.begin(), tokens.end());
    encoded.parts.push_back({encoded.tokens.size(),
                             split_position(*piece.file, part.offset) < options.validation_fraction,
                             part.ends_document});
  });
  return encoded;
}

// The outputs of one call: for training and, where there is a split, for validation.
class Outputs {
 public:
  Outputs(const PrepareOptions& options, const Tokenizer& tokenizer)
      : train_(options.output, tokenizer) {
    if (!options.validation_output.empty())
      validation_.emplace(options.validation_output, tokenizer);
  }

  void write(const EncodedPiece& encoded) {
    std::size_t begin = 0;
    for (const auto& part : encoded.parts) {
      TokenFileWriter& writer = part.for_validation ? *validation_ : train_;
      writer.append(std::span(encoded.tokens).subspan(begin, part.end - begin));
      if (part.ends_document) writer.end_document();
      begin = part.end;
    }
  }

  // All are complete on the disk before the first gets its name.
  void publish() {
    require_documents(train_);
    if (validation_) require_documents(*validation_);
    train_.seal();
    if (validation_) validation_->seal();
    train_.publish();
    if (validation_) validation_->publish();
  }

  void describe(PrepareSummary& summary) const {
    summary.train = {train_.path(), train_.document_count(), train_.token_count()};
    if (validation_)
      summary.validation = {validation_->path(), validation_->document_count(),
                            validation_->token_count()};
  }

 private:
  static void require_documents(const TokenFileWriter& writer) {
    if (writer.document_count() == 0)
      throw DataError(writer.path().string() + ": expected documents for it, found none with text",
                      "name more inputs, or change the validation fraction");
  }

  TokenFileWriter train_;
  std::optional<TokenFileWriter> validation_;
};

}  // namespace

PrepareSummary prepare(const PrepareOptions& options,
                       const std::function<void(const PrepareProgress&)>& progress) {
  check_options(options);
  const auto tokenizer = make_tokenizer(options.tokenizer);
  const auto files = list_source_files(options.inputs, options.patterns);
  check_outputs_are_no_inputs(options, files);
  const auto pieces = cut_into_pieces(files, kPieceBytes, tokenizer->encodes_in_parts());
  const int threads =
      options.threads > 0 ? options.threads : static_cast<int>(std::thread::hardware_concurrency());
  PrepareProgress done{.total_files = files.size()};
  for (const SourceFile& file : files) done.total_bytes += file.bytes;

  Outputs outputs(options, *tokenizer);
  OrderedPipeline<EncodedPiece> encoded(pieces.size(), threads, [&](std::size_t index) {
    return encode_piece(pieces[index], options, *tokenizer);
  });
  for (const Piece& piece : pieces) {
    outputs.write(encoded.take());
    done.bytes += piece.end - piece.begin;
    done.files += piece.end == piece.file->bytes ? 1 : 0;
    if (progress) progress(done);
  }
  outputs.publish();
  PrepareSummary summary{.files = files.size(), .bytes = done.bytes};
  outputs.describe(summary);
  return summary;
}

}  // namespace phalanx::data
