#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace phalanx {

// XXH3 with 128 bits, as 32 hexadecimal digits: against damage, not against an adversary.
class Checksum {
 public:
  Checksum();
  Checksum(Checksum&&) noexcept;
  Checksum& operator=(Checksum&&) noexcept;
  ~Checksum();
  void update(std::span<const std::byte> bytes);
  std::string digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string checksum(std::span<const std::byte> bytes);
std::string checksum(std::string_view text);

// XXH3 with 64 bits, for tables of many checksums and for hashing names alike everywhere.
std::uint64_t checksum64(std::span<const std::byte> bytes);
std::uint64_t checksum64(std::string_view text);

}  // namespace phalanx
