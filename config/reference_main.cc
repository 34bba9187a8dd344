#include <cstdio>

#include "config/load.h"

// Prints docs/configuration.md.
int main() {
  const auto text = phalanx::config::reference_markdown();
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
