#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "data/source_files.h"

namespace phalanx::data {

// A range of a source file that one thread reads at a time: what makes the work even and its memory
// bounded. Of JSON lines it holds those that begin in it; of a text the bytes [begin, end), which
// may be a part of the document.
struct Piece {
  const SourceFile* file = nullptr;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// Cuts files, in order, into pieces of at most `bytes`; texts only where `cut_texts`. Empty files
// have none.
std::vector<Piece> cut_into_pieces(std::span<const SourceFile> files, std::uint64_t bytes,
                                   bool cut_texts);

// What is read of a document: whole, unless the file is a text cut into several pieces.
struct DocumentPart {
  std::string_view text;     // valid during the call
  std::uint64_t offset = 0;  // of its document in the file: with the file this names it
  bool ends_document = true;
};

// Calls `visit` for the documents of a piece, in order. Documents without text are left out.
// `field` names what holds the text of a JSON line. Throws DataError that names the file, and
// FILE:LINE for a bad line.
void visit_documents(const Piece& piece, const std::string& field,
                     const std::function<void(const DocumentPart&)>& visit);

}  // namespace phalanx::data
