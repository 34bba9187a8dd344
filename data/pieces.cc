#include "data/pieces.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file_descriptor.h"
#include "data/error.h"

namespace phalanx::data {
namespace {

constexpr const char* kWhitespace = " \t\r\n";

class SourceReader {
 public:
  explicit SourceReader(const SourceFile& source)
      : path_(source.path.string()), file_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (!file_) throw DataError(describe_errno(path_ + ": open"), "inputs must be readable");
  }

  // The bytes [begin, end), fewer where the file ends.
  std::string read(std::uint64_t begin, std::uint64_t end) const {
    std::string bytes(end - begin, '\0');
    std::size_t filled = 0;
    while (filled < bytes.size()) {
      const ssize_t count = ::pread(file_.get(), bytes.data() + filled, bytes.size() - filled,
                                    static_cast<off_t>(begin + filled));
      if (count < 0 && errno != EINTR) throw DataError(describe_errno(path_ + ": read"));
      if (count == 0) break;
      if (count > 0) filled += static_cast<std::size_t>(count);
    }
    bytes.resize(filled);
    return bytes;
  }

 private:
  std::string path_;
  FileDescriptor file_;
};

std::string read_whole(const SourceReader& reader, const Piece& piece, std::uint64_t begin) {
  std::string bytes = reader.read(begin, piece.end);
  if (bytes.size() < piece.end - begin)
    throw DataError(fmt::format("{}: expected {} bytes, found {}: it changed while it was read",
                                piece.file->path.string(), piece.file->bytes, begin + bytes.size()),
                    "prepare again when nobody writes to the inputs");
  return bytes;
}

// The number of the line that holds the byte at `offset`, from 1. Only messages need it, so it is
// counted when needed.
std::uint64_t line_number(const SourceReader& reader, std::uint64_t offset) {
  constexpr std::uint64_t kBlock = 1 << 20;
  std::uint64_t line = 1;
  for (std::uint64_t begin = 0; begin < offset; begin += kBlock) {
    const std::string bytes = reader.read(begin, std::min(begin + kBlock, offset));
    line += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  }
  return line;
}

nlohmann::json parse_line(std::string_view line) try {
  return nlohmann::json::parse(line);
} catch (const nlohmann::json::exception& error) {
  // "[json.exception.parse_error.101] parse error at line 1, column 8: ...": the line is the file's
  // to count.
  const std::string_view what = error.what();
  const std::size_t column = what.find("column");
  throw DataError("bad JSON: " + std::string(what.substr(column == what.npos ? 0 : column)));
}

std::string text_of_line(std::string_view line, const std::string& field) {
  const auto document = parse_line(line);
  if (!document.is_object())
    throw DataError(fmt::format("expected an object, found {}", document.type_name()));
  const auto found = document.find(field);
  if (found == document.end())
    throw DataError(fmt::format("expected the field '{}', found none of that name", field));
  if (!found->is_string())
    throw DataError(
        fmt::format("expected text in the field '{}', found {}", field, found->type_name()));
  return found->get<std::string>();
}

// The lines that begin in [piece.begin, piece.end), whole; `offset` is set to where the first
// begins.
std::string read_lines(const SourceReader& reader, const Piece& piece, std::uint64_t& offset) {
  constexpr std::uint64_t kMore = 1 << 16;
  // From the byte before, which tells whether a line begins at piece.begin.
  offset = piece.begin == 0 ? 0 : piece.begin - 1;
  std::string bytes = read_whole(reader, piece, offset);
  if (piece.begin != 0) {
    const std::size_t newline = bytes.find('\n');
    // The last byte is not asked: a line behind it begins in the next piece.
    if (newline >= bytes.size() - 1) return {};
    bytes.erase(0, newline + 1);
    offset += newline + 1;
  }
  for (std::uint64_t at = piece.end; bytes.back() != '\n';) {
    const std::string more = reader.read(at, at + kMore);
    if (more.empty()) break;
    const std::size_t newline = more.find('\n');
    bytes.append(more, 0, newline == std::string::npos ? newline : newline + 1);
    at += more.size();
  }
  return bytes;
}

void visit_lines(const SourceReader& reader, const Piece& piece, const std::string& field,
                 const std::function<void(const DocumentPart&)>& visit) {
  std::uint64_t offset = 0;
  const std::string lines = read_lines(reader, piece, offset);
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size());
    const std::string_view line = std::string_view(lines).substr(begin, end - begin);
    std::string text;
    try {
      if (line.find_first_not_of(kWhitespace) != line.npos) text = text_of_line(line, field);
    } catch (const std::exception& error) {
      throw DataError(fmt::format("{}:{}: {}", piece.file->path.string(),
                                  line_number(reader, offset + begin), error.what()),
                      fmt::format("every line must be a JSON object with its text in '{}'; --field "
                                  "names another",
                                  field));
    }
    if (!text.empty()) visit({text, offset + begin, true});
    begin = end + 1;
  }
}

}  // namespace

std::vector<Piece> cut_into_pieces(std::span<const SourceFile> files, std::uint64_t bytes,
                                   bool cut_texts) {
  std::vector<Piece> pieces;
  for (const SourceFile& file : files) {
    const std::uint64_t step = cut_texts || file.has_json_lines() ? bytes : file.bytes;
    for (std::uint64_t begin = 0; begin < file.bytes; begin += step)
      pieces.push_back({&file, begin, std::min(begin + step, file.bytes)});
  }
  return pieces;
}

void visit_documents(const Piece& piece, const std::string& field,
                     const std::function<void(const DocumentPart&)>& visit) {
  const SourceReader reader(*piece.file);
  if (piece.file->has_json_lines()) return visit_lines(reader, piece, field, visit);
  const std::string text = read_whole(reader, piece, piece.begin);
  visit({text, 0, piece.end == piece.file->bytes});
}

}  // namespace phalanx::data
