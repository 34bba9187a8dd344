#include "comm/native/handshake.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstring>

#include "base/error.h"

namespace phalanx::comm {

Nonce fresh_nonce() {
  Nonce nonce;
  if (RAND_bytes(nonce.data(), static_cast<int>(nonce.size())) != 1)
    throw SystemError("OpenSSL: no random numbers");
  return nonce;
}

Code prove(const std::string& secret, Side side, const Hello& hello, const Nonce& answer) {
  std::array<std::uint8_t, 1 + sizeof(Hello) + sizeof(Nonce)> message;
  message[0] = static_cast<std::uint8_t>(side);
  std::memcpy(message.data() + 1, &hello, sizeof hello);
  std::memcpy(message.data() + 1 + sizeof hello, answer.data(), answer.size());
  Code code;
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), message.data(),
           message.size(), code.data(), &size) == nullptr)
    throw SystemError("OpenSSL: HMAC-SHA256 failed");
  return code;
}

bool same_code(const Code& left, const Code& right) {
  return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace phalanx::comm
