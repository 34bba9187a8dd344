#include <cstdio>

#include "base/error.h"
#include "base/file.h"
#include "layout/schedule_gallery.h"

// Writes the drawings of docs/schedules.md: phalanx-schedule-gallery docs/schedules
int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: phalanx-schedule-gallery FOLDER\n", stderr);
    return 2;
  }
  try {
    for (const auto& drawing : phalanx::layout::schedule_gallery())
      phalanx::write_file_atomically(std::string(argv[1]) + "/" + drawing.file, drawing.svg);
  } catch (const phalanx::Error& error) {
    std::fprintf(stderr, "error: %s\nhelp: %s\n", error.what(), error.help().c_str());
    return 7;
  }
  return 0;
}
