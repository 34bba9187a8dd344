#pragma once

#include <spdlog/logger.h>

#include <utility>

// Diagnostics of a process, to its standard error (a daemon's goes into the run's logs): standard
// output is for results. What a user must see is an event or an error message instead.
namespace phalanx::log {

spdlog::logger& logger();

template <typename... Values>
void info(spdlog::format_string_t<Values...> format, Values&&... values) {
  logger().info(format, std::forward<Values>(values)...);
}

template <typename... Values>
void warn(spdlog::format_string_t<Values...> format, Values&&... values) {
  logger().warn(format, std::forward<Values>(values)...);
}

template <typename... Values>
void error(spdlog::format_string_t<Values...> format, Values&&... values) {
  logger().error(format, std::forward<Values>(values)...);
}

}  // namespace phalanx::log
