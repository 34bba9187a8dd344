#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace phalanx::log {

spdlog::logger& logger() {
  static spdlog::logger logger("", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  return logger;
}

}  // namespace phalanx::log
