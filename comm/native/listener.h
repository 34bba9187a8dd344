#pragma once

#include <cstdint>
#include <string>

#include "base/file_descriptor.h"

namespace phalanx::comm {

// A worker's listening TCP socket, at a free port of `host` (an IPv4 address). Made once per
// process and kept across generations: what others are told of it stays true. Throws SystemError.
class Listener {
 public:
  explicit Listener(const std::string& host);
  const std::string& host() const { return host_; }
  std::uint16_t port() const { return port_; }
  const FileDescriptor& socket() const { return socket_; }  // non-blocking

 private:
  std::string host_;
  FileDescriptor socket_;
  std::uint16_t port_;
};

}  // namespace phalanx::comm
