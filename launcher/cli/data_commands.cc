#include "launcher/cli/data_commands.h"

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

namespace phalanx::launcher {
namespace {

using Json = nlohmann::ordered_json;

void print(const std::string& text) { std::fputs((text + "\n").c_str(), stdout); }

void print(const Json& result) {
  print(result.dump(2, ' ', false, Json::error_handler_t::replace));
}

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

void run_prepare(const data::PrepareOptions& options, bool json) {
  const TimePoint start = Clock::now();
  const data::PrepareSummary summary = prepare_watched(options);
  const double duration = seconds(Clock::now() - start);
  const bool split = !summary.validation.path.empty();
  if (json) {
    Json result{{"files", summary.files},
                {"bytes", summary.bytes},
                {"seconds", duration},
                {"train", describe(summary.train)}};
    if (split) result["validation"] = describe(summary.validation);
    return print(result);
  }
  print(fmt::format("read {} files, {:.1f} MB in {:.2f} s ({:.0f} MB/s)", summary.files,
                    megabytes(summary.bytes), duration, megabytes(summary.bytes) / duration));
  for (const auto& file : {summary.train, summary.validation})
    if (!file.path.empty())
      print(fmt::format("wrote {}: {} documents, {} tokens", file.path.string(), file.documents,
                        file.tokens));
}

void add_prepare(CLI::App& data) {
  CLI::App* command = data.add_subcommand("prepare", "make a token file of text");
  auto options = std::make_shared<data::PrepareOptions>();
  auto json = std::make_shared<bool>(false);
  command->add_option("INPUT", options->inputs, "files (text, or .jsonl) and folders")->required();
  command->add_option("--output", options->output, "the token file to write")->required();
  command->add_option("--tokenizer", options->tokenizer, "tokenizer")->capture_default_str();
  command->add_option("--field", options->field, "what holds the text of a line of .jsonl")
      ->capture_default_str();
  command
      ->add_option("--pattern", options->patterns,
                   "names of files to take from folders, like '*.py' (default: text and sources)")
      ->allow_extra_args(false);
  command->add_option("--threads", options->threads, "threads; 0: one for each processor")
      ->capture_default_str();
  auto* output = command->add_option("--validation-output", options->validation_output,
                                     "a token file for a part of the documents");
  auto* fraction = command->add_option("--validation-fraction", options->validation_fraction,
                                       "how much of the documents that is, like 0.01");
  output->needs(fraction);
  fraction->needs(output);
  command->add_flag("--json", *json, "print the result as JSON");
  command->callback([options, json] { run_prepare(*options, *json); });
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

void run_inspect(const std::string& path, bool verify, bool json) {
  const data::TokenFile file(path);
  const DocumentLengths lengths = document_lengths(file);
  const std::string text = first_text(file);
  if (verify) file.verify(static_cast<int>(std::thread::hardware_concurrency()));
  if (json) {
    print(Json{{"path", file.path()},
               {"bytes", file.file_bytes()},
               {"tokenizer", file.tokenizer_name()},
               {"tokenizer_digest", file.tokenizer_digest()},
               {"vocab_size", file.vocab_size()},
               {"token_bytes", file.token_width()},
               {"tokens", file.token_count()},
               {"documents", file.document_count()},
               {"document_tokens",
                {{"shortest", lengths.shortest},
                 {"median", lengths.median},
                 {"longest", lengths.longest}}},
               {"verified", verify},
               {"text", text}});
    return;
  }
  print(fmt::format("{}: {:.1f} MB", file.path(), megabytes(file.file_bytes())));
  print(fmt::format("tokenizer  {} (vocabulary {}, digest {})", file.tokenizer_name(),
                    file.vocab_size(), file.tokenizer_digest()));
  print(fmt::format("tokens     {} of {} bytes", file.token_count(), file.token_width()));
  print(fmt::format("documents  {} (tokens: shortest {}, median {}, longest {})",
                    file.document_count(), lengths.shortest, lengths.median, lengths.longest));
  print(fmt::format("checksums  {}", verify ? "header, tables and tokens agree"
                                            : "header and documents agree (tokens: --verify)"));
  print(fmt::format("text       {}", text));
}

void add_inspect(CLI::App& data) {
  struct Options {
    std::string path;
    bool verify = false, json = false;
  };
  CLI::App* command = data.add_subcommand("inspect", "show what a token file holds");
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->path, "a token file")->required();
  command->add_flag("--verify", options->verify, "also check every token's checksum");
  command->add_flag("--json", options->json, "print the result as JSON");
  command->callback([options] { run_inspect(options->path, options->verify, options->json); });
}

struct BaselineOptions {
  std::string train, validation;
  std::int64_t sequence_length = 0;
  std::uint64_t sequences = 0;
  bool json = false;
};

void run_baseline(const BaselineOptions& options) {
  const data::NgramBaseline baseline =
      data::ngram_baseline(data::TokenFile(options.train), data::TokenFile(options.validation),
                           options.sequence_length, options.sequences);
  if (options.json) {
    print(Json{{"targets", baseline.targets},
               {"unigram", baseline.unigram},
               {"bigram", baseline.bigram},
               {"trigram", baseline.trigram}});
    return;
  }
  print(fmt::format("model    nats a token (over {} targets)", baseline.targets));
  print(fmt::format("unigram  {:.6f}", baseline.unigram));
  print(fmt::format("bigram   {:.6f}", baseline.bigram));
  print(fmt::format("trigram  {:.6f}", baseline.trigram));
}

void add_baseline(CLI::App& data) {
  CLI::App* command =
      data.add_subcommand("baseline", "the validation loss of counting tokens, pairs and triples");
  auto options = std::make_shared<BaselineOptions>();
  command->add_option("--train", options->train, "the token file to count")->required();
  command->add_option("--validation", options->validation, "the token file to judge by")
      ->required();
  command->add_option("--sequence-length", options->sequence_length, "the model's, in tokens")
      ->required()
      ->check(CLI::PositiveNumber);
  command->add_option("--sequences", options->sequences, "the first so many; 0: all")
      ->capture_default_str();
  command->add_flag("--json", options->json, "print the result as JSON");
  command->callback([options] { run_baseline(*options); });
}

}  // namespace

void add_data_commands(CLI::App& root) {
  CLI::App* data = root.add_subcommand("data", "prepare and inspect what a model is trained on");
  data->require_subcommand(1);
  add_prepare(*data);
  add_inspect(*data);
  add_baseline(*data);
}

}  // namespace phalanx::launcher
