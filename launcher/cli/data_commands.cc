#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "data/ngram.h"
#include "data/prepare.h"
#include "data/token_file.h"
#include "data/tokenizer.h"
#include "launcher/cli/commands.h"
#include "launcher/error.h"

namespace phalanx::launcher {
namespace {

using Json = nlohmann::ordered_json;
using protocol::ExitCode;

double megabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

// A line on stderr, redrawn ten times a second, for somebody who watches.
class ProgressLine {
 public:
  ~ProgressLine() {
    if (shown_ != TimePoint()) std::fputs("\n", stderr);
  }

  void show(const data::PrepareProgress& progress) {
    const TimePoint now = Clock::now();
    if (progress.bytes < progress.total_bytes && now - shown_ < std::chrono::milliseconds(100))
      return;
    shown_ = now;
    fmt::print(stderr, "\r{:3.0f} %  {} of {} files  {:.1f} of {:.1f} MB  {:.0f} MB/s",
               100.0 * static_cast<double>(progress.bytes) /
                   static_cast<double>(std::max<std::uint64_t>(progress.total_bytes, 1)),
               progress.files, progress.total_files, megabytes(progress.bytes),
               megabytes(progress.total_bytes), megabytes(progress.bytes) / seconds(now - start_));
    std::fflush(stderr);
  }

 private:
  TimePoint start_ = Clock::now();
  TimePoint shown_;
};

Json describe(const data::PreparedFile& file) {
  return {{"path", file.path.string()}, {"documents", file.documents}, {"tokens", file.tokens}};
}

data::PrepareSummary prepare_watched(const data::PrepareOptions& options) {
  if (!::isatty(STDERR_FILENO)) return data::prepare(options);
  ProgressLine line;
  return data::prepare(options, [&](const auto& progress) { line.show(progress); });
}

int prepare(const data::PrepareOptions& options, const Printer& printer) {
  if (options.validation_output.empty() != (options.validation_fraction == 0))
    throw RefusedError(
        "phalanx data prepare: expected --validation-output and --validation-fraction together, "
        "found one of them",
        "name both to keep documents for validation, or neither");
  const TimePoint start = Clock::now();
  const data::PrepareSummary summary = prepare_watched(options);
  const double duration = seconds(Clock::now() - start);
  Json result{{"files", summary.files},
              {"bytes", summary.bytes},
              {"seconds", duration},
              {"train", describe(summary.train)}};
  if (!summary.validation.path.empty()) result["validation"] = describe(summary.validation);
  std::string text =
      fmt::format("read {} files, {:.1f} MB in {:.2f} s ({:.0f} MB/s)\n", summary.files,
                  megabytes(summary.bytes), duration, megabytes(summary.bytes) / duration);
  for (const auto& file : {summary.train, summary.validation})
    if (!file.path.empty())
      text += fmt::format("wrote {}: {} documents, {} tokens\n", file.path.string(), file.documents,
                          file.tokens);
  printer.print(result, text);
  return 0;
}

Subcommand prepare_command() {
  struct Arguments {
    std::vector<std::string> inputs;
    std::string output, validation_output;
    data::PrepareOptions options;
  };
  auto arguments = std::make_shared<Arguments>();
  auto& options = arguments->options;
  return {
      .name = "data prepare",
      .group = "Data",
      .summary = "Make a token file of text",
      .details =
          "Reads text files, source trees and .jsonl in parallel. The output appears whole "
          "or not at all, and replaces a file of its name.",
      .options =
          {{"INPUT", "", "Files (text, or .jsonl) and folders", &arguments->inputs, true},
           {"--output", "FILE", "The token file to write", &arguments->output, true},
           {.name = "--tokenizer",
            .value = "NAME",
            .text = "How text becomes tokens",
            .target = &options.tokenizer,
            .allowed = data::tokenizer_names()},
           {"--field", "NAME", "What holds the text of a line of .jsonl", &options.field},
           {"--pattern", "GLOB",
            "Names of files to take from folders, like '*.py'; may be repeated; text and sources "
            "if left out",
            &options.patterns},
           {.name = "--threads",
            .value = "N",
            .text = "0: one for each processor",
            .target = &options.threads,
            .least = 0},
           {"--validation-output", "FILE", "A second token file, for a part of the documents",
            &arguments->validation_output},
           {.name = "--validation-fraction",
            .value = "X",
            .text = "How much of the documents that part is, between 0 and 1",
            .target = &options.validation_fraction,
            .least = 0,
            .most = 1}},
      .examples = {"data prepare my_texts/ --output corpus/train.tokens",
                   "data prepare src/ --pattern '*.py' --output train.tokens --validation-output "
                   "validation.tokens --validation-fraction 0.05",
                   "data prepare pages.jsonl --field content --output pages.tokens --json"},
      .exit_codes = {ExitCode::kData, ExitCode::kStorage},
      .run = [arguments](const Printer& printer) {
        auto& options = arguments->options;
        options.inputs.assign(arguments->inputs.begin(), arguments->inputs.end());
        options.output = arguments->output;
        options.validation_output = arguments->validation_output;
        return prepare(options, printer);
      }};
}

// The first tokens as one line of text; what is no printable ASCII is escaped.
std::string first_text(const data::TokenFile& file) {
  constexpr std::uint64_t kShown = 200;
  const auto tokenizer = data::make_tokenizer(file.tokenizer_name());
  file.require_tokenizer(*tokenizer);
  const auto tokens = file.tokens(0, std::min(kShown, file.token_count()));
  std::string text;
  for (const unsigned char c : tokenizer->decode(tokens)) {
    if (c == '\n')
      text += "\\n";
    else if (c < 32 || c > 126)
      text += fmt::format("\\x{:02x}", c);
    else
      text += static_cast<char>(c);
  }
  return text;
}

struct DocumentLengths {
  std::uint64_t shortest = 0;
  std::uint64_t median = 0;
  std::uint64_t longest = 0;
};

DocumentLengths document_lengths(const data::TokenFile& file) {
  const auto starts = file.document_starts();
  std::vector<std::uint64_t> lengths;
  for (std::size_t i = 1; i < starts.size(); ++i) lengths.push_back(starts[i] - starts[i - 1]);
  if (lengths.empty()) return {};
  std::sort(lengths.begin(), lengths.end());
  return {lengths.front(), lengths[lengths.size() / 2], lengths.back()};
}

struct InspectOptions {
  std::string path;
  bool verify = false;
};

int inspect(const InspectOptions& options, const Printer& printer) {
  const data::TokenFile file(options.path);
  const auto [shortest, median, longest] = document_lengths(file);
  const std::string text = first_text(file);
  if (options.verify) file.verify(static_cast<int>(std::thread::hardware_concurrency()));
  const Json lengths = {{"shortest", shortest}, {"median", median}, {"longest", longest}};
  printer.print(
      {{"path", file.path()},
       {"bytes", file.file_bytes()},
       {"tokenizer", file.tokenizer_name()},
       {"tokenizer_digest", file.tokenizer_digest()},
       {"vocab_size", file.vocab_size()},
       {"token_bytes", file.token_width()},
       {"tokens", file.token_count()},
       {"documents", file.document_count()},
       {"document_tokens", lengths},
       {"verified", options.verify},
       {"text", text}},
      fmt::format("{}: {:.1f} MB\n", file.path(), megabytes(file.file_bytes())) +
          fmt::format("tokenizer  {} (vocabulary {}, digest {})\n", file.tokenizer_name(),
                      file.vocab_size(), file.tokenizer_digest()) +
          fmt::format("tokens     {} of {} bytes\n", file.token_count(), file.token_width()) +
          fmt::format("documents  {} (tokens: shortest {}, median {}, longest {})\n",
                      file.document_count(), shortest, median, longest) +
          fmt::format("checksums  {}\n", options.verify
                                             ? "header, tables and tokens agree"
                                             : "header and documents agree (tokens: --verify)") +
          fmt::format("text       {}\n", text));
  return 0;
}

Subcommand inspect_command() {
  auto options = std::make_shared<InspectOptions>();
  return {.name = "data inspect",
          .group = "Data",
          .summary = "Show what a token file holds",
          .options = {{"FILE", "", "A token file", &options->path, true},
                      {"--verify", "", "Also check every token's checksum", &options->verify}},
          .examples = {"data inspect corpus/train.tokens", "data inspect train.tokens --verify"},
          .exit_codes = {ExitCode::kData},
          .run = [options](const Printer& printer) { return inspect(*options, printer); }};
}

struct BaselineOptions {
  std::string train, validation;
  std::int64_t sequence_length = 0;
  std::uint64_t sequences = 0;
};

int baseline(const BaselineOptions& options, const Printer& printer) {
  const data::NgramBaseline baseline =
      data::ngram_baseline(data::TokenFile(options.train), data::TokenFile(options.validation),
                           options.sequence_length, options.sequences);
  printer.print({{"targets", baseline.targets},
                 {"unigram", baseline.unigram},
                 {"bigram", baseline.bigram},
                 {"trigram", baseline.trigram}},
                fmt::format("model    nats a token (over {} targets)\n", baseline.targets) +
                    fmt::format("unigram  {:.6f}\n", baseline.unigram) +
                    fmt::format("bigram   {:.6f}\n", baseline.bigram) +
                    fmt::format("trigram  {:.6f}\n", baseline.trigram));
  return 0;
}

Subcommand baseline_command() {
  auto options = std::make_shared<BaselineOptions>();
  return {
      .name = "data baseline",
      .group = "Data",
      .summary = "The validation loss of counting tokens, pairs and triples",
      .details =
          "What a model must beat: n-gram models with add-0.01 smoothing, counted on the "
          "whole training file.",
      .options = {{"--train", "FILE", "The token file to count", &options->train, true},
                  {"--validation", "FILE", "The token file to judge by", &options->validation,
                   true},
                  {.name = "--sequence-length",
                   .value = "N",
                   .text = "The model's, in tokens",
                   .target = &options->sequence_length,
                   .required = true,
                   .least = 1},
                  {"--sequences", "N", "Judge by the first so many; 0: all", &options->sequences}},
      .examples = {"data baseline --train train.tokens --validation validation.tokens "
                   "--sequence-length 128"},
      .exit_codes = {ExitCode::kData},
      .run = [options](const Printer& printer) { return baseline(*options, printer); }};
}

}  // namespace

std::vector<Subcommand> data_commands() {
  return {prepare_command(), inspect_command(), baseline_command()};
}

}  // namespace phalanx::launcher
