#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace phalanx::data {

struct PrepareOptions {
  std::vector<std::filesystem::path> inputs;  // files and folders
  std::filesystem::path output;
  std::string tokenizer = "bytes";
  std::vector<std::string>
      patterns;  // file names taken from folders (data/source_files.h); empty: the default
  std::string field = "text";               // of a line of .jsonl
  int threads = 0;                          // 0: one for each processor
  std::filesystem::path validation_output;  // empty: no split
  double validation_fraction = 0;           // of the documents, in (0, 1)
};

struct PreparedFile {
  std::filesystem::path path;
  std::uint64_t documents = 0;
  std::uint64_t tokens = 0;
};

struct PrepareSummary {
  PreparedFile train;
  PreparedFile validation;  // its path is empty without a split
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  // read
};

struct PrepareProgress {
  std::uint64_t files = 0;  // done
  std::uint64_t bytes = 0;
  std::uint64_t total_files = 0;
  std::uint64_t total_bytes = 0;
};

// Makes a token file, or two, of documents: each its tokens and the end-of-document token, in the
// order of the source files. The bytes written are the same for any number of threads. A document
// goes to validation by a hash of where it was found (its file's path relative to the input; for
// .jsonl also its line's offset), so that the same ones do everywhere. Files appear whole or not at
// all. Memory: a few pieces of 1 MiB a thread (the longest documents where the tokenizer cannot
// encode in parts), and eight bytes a document. `progress` is called on the calling thread. Throws
// DataError for inputs (also when no document comes of them), StorageError for outputs.
PrepareSummary prepare(const PrepareOptions& options,
                       const std::function<void(const PrepareProgress&)>& progress = {});

}  // namespace phalanx::data
