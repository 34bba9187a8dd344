#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace phalanx::comm {

// How both ends of a new connection prove that they know the job's secret, without telling it
// (challenge and response over fresh nonces, HMAC-SHA256, RFC 2104):
//   connecting -> Hello,  accepting -> Challenge,  connecting -> Proof,  accepting -> Welcome
// Numbers are in the byte order of the machines, which the magic number checks.
using Nonce = std::array<std::uint8_t, 16>;
using Code = std::array<std::uint8_t, 32>;

struct Hello {
  static constexpr std::uint64_t kMagic = 0x31584e414c414850;  // "PHALANX1"
  std::uint64_t magic = kMagic;
  std::uint64_t generation = 0;
  std::int32_t from = 0, to = 0;  // ranks in the generation
  std::uint64_t channel = 0;      // what the connection is for: see network.h
  Nonce nonce{};
};

struct Challenge {
  Nonce nonce{};
  Code code{};  // the accepting side's proof
};

struct Proof {
  Code code{};  // the connecting side's proof
};

struct Welcome {
  std::uint64_t magic = Hello::kMagic;
};

enum class Side : std::uint8_t { kConnecting, kAccepting };

Nonce fresh_nonce();
// What `side` shows to prove that it knows the secret: bound to both nonces, ranks and generation.
Code prove(const std::string& secret, Side side, const Hello& hello, const Nonce& answer);
// Takes the same time wherever the codes differ.
bool same_code(const Code& left, const Code& right);

}  // namespace phalanx::comm
