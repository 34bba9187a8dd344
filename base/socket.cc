#include "base/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/error.h"

namespace phalanx {
namespace {

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    throw SystemError("socket: expected an IPv4 address, found '" + host + "'");
  return address;
}

void send_at_once(const FileDescriptor& socket) {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool wait_for(const FileDescriptor& file, short events, TimePoint deadline) {
  pollfd entry{file.get(), events, 0};
  while (true) {
    const int ready = ::poll(&entry, 1, poll_timeout(deadline));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) throw SystemError(describe_errno("poll"));
  }
}

}  // namespace

std::pair<FileDescriptor, FileDescriptor> socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw SystemError(describe_errno("socketpair"));
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

FileDescriptor listen_tcp(const std::string& host) {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw SystemError(describe_errno("socket"));
  const sockaddr_in address = address_of(host, 0);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw SystemError(describe_errno("bind to " + host));
  if (::listen(socket.get(), SOMAXCONN) != 0) throw SystemError(describe_errno("listen"));
  return socket;
}

std::uint16_t local_port(const FileDescriptor& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw SystemError(describe_errno("getsockname"));
  return ntohs(address.sin_port);
}

FileDescriptor start_connect_tcp(const std::string& host, std::uint16_t port) {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw SystemError(describe_errno("socket"));
  const sockaddr_in address = address_of(host, port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS)
    throw SystemError(describe_errno("connect to " + host + ":" + std::to_string(port)));
  send_at_once(socket);
  return socket;
}

int connect_outcome(const FileDescriptor& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

FileDescriptor connect_tcp(const std::string& host, std::uint16_t port, TimePoint deadline) {
  const std::string peer = host + ":" + std::to_string(port);
  FileDescriptor socket = start_connect_tcp(host, port);
  if (!wait_for(socket, POLLOUT, deadline))
    throw SystemError("connect to " + peer + ": no answer before the deadline");
  if (const int error = connect_outcome(socket); error != 0) {
    errno = error;
    throw SystemError(describe_errno("connect to " + peer));
  }
  ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) & ~O_NONBLOCK);
  return socket;
}

FileDescriptor accept_tcp(const FileDescriptor& listener, TimePoint deadline) {
  while (wait_for(listener, POLLIN, deadline)) {
    FileDescriptor connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection) {
      send_at_once(connection);
      return connection;
    }
    // The peer may have gone between poll and accept; that is no failure of ours.
    if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN)
      throw SystemError(describe_errno("accept"));
  }
  return {};
}

void set_nonblocking(const FileDescriptor& file) {
  ::fcntl(file.get(), F_SETFL, ::fcntl(file.get(), F_GETFL) | O_NONBLOCK);
}

}  // namespace phalanx
