#include "base/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

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

FileDescriptor local_socket() {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) throw SystemError(describe_errno("socket"));
  return socket;
}

// A leading null byte makes the name an abstract one (unix(7)).
std::pair<sockaddr_un, socklen_t> local_address(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path)
    throw SystemError("socket: the name " + name + " is too long");
  name.copy(address.sun_path + 1, name.size());
  return {address, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())};
}

ucred credentials_of(const FileDescriptor& connection) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    throw SystemError(describe_errno("getsockopt(SO_PEERCRED)"));
  return credentials;
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

FileDescriptor listen_local(const std::string& name) {
  FileDescriptor socket = local_socket();
  const auto [address, size] = local_address(name);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
    throw SystemError(describe_errno("bind to " + name));
  if (::listen(socket.get(), SOMAXCONN) != 0) throw SystemError(describe_errno("listen"));
  return socket;
}

FileDescriptor connect_local(const std::string& name, TimePoint deadline) {
  constexpr int kPause = 10;  // milliseconds
  const auto [address, size] = local_address(name);
  while (true) {
    FileDescriptor socket = local_socket();
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0)
      return socket;
    const bool nobody_yet = errno == ECONNREFUSED || errno == EAGAIN || errno == EINTR;
    if (!nobody_yet || Clock::now() >= deadline)
      throw SystemError(describe_errno("connect to " + name));
    ::poll(nullptr, 0, kPause);
  }
}

FileDescriptor accept_local(const FileDescriptor& listener, TimePoint deadline) {
  while (wait_for(listener, POLLIN, deadline)) {
    FileDescriptor connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection && errno != EINTR && errno != ECONNABORTED && errno != EAGAIN)
      throw SystemError(describe_errno("accept"));
    if (connection && credentials_of(connection).uid == ::geteuid()) return connection;
  }
  return {};
}

pid_t peer_process(const FileDescriptor& connection) { return credentials_of(connection).pid; }

void set_nonblocking(const FileDescriptor& file) {
  ::fcntl(file.get(), F_SETFL, ::fcntl(file.get(), F_GETFL) | O_NONBLOCK);
}

}  // namespace phalanx
