#include "tests/fake_worker/orders.h"

#include <fmt/format.h>

#include <cstdlib>
#include <regex>
#include <sstream>

namespace phalanx::fake_worker {
namespace {

std::string all_orders(const std::string& job) {
  std::smatch found;
  if (std::regex_search(job, found, std::regex("fake_worker: *(\\S+)"))) return found[1];
  const char* text = std::getenv("PHALANX_FAKE_WORKER");
  return text == nullptr ? "" : text;
}

}  // namespace

Orders::Orders(const std::string& job, int node, int slot) {
  const std::string mine = fmt::format("{}.{}:", node, slot);
  std::istringstream stream(all_orders(job));
  for (std::string order; std::getline(stream, order, ',');) {
    if (!order.starts_with(mine)) continue;
    order = order.substr(mine.size());
    const auto equals = order.find('=');
    orders_[order.substr(0, equals)] =
        equals == std::string::npos ? 0 : std::stoll(order.substr(equals + 1));
  }
}

std::int64_t number_in(const std::string& job, const std::string& key, std::int64_t otherwise) {
  std::smatch found;
  if (!std::regex_search(job, found, std::regex("\\b" + key + ": *(\\d+)"))) return otherwise;
  return std::stoll(found[1]);
}

}  // namespace phalanx::fake_worker
