#include "comm/native/listener.h"

#include "base/socket.h"

namespace phalanx::comm {

Listener::Listener(const std::string& host)
    : host_(host), socket_(listen_tcp(host)), port_(local_port(socket_)) {
  set_nonblocking(socket_);
}

}  // namespace phalanx::comm
