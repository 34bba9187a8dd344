#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/file_descriptor.h"

namespace phalanx {

// A connected pair of Unix sockets that keep message boundaries (SOCK_SEQPACKET). Throws
// SystemError.
std::pair<FileDescriptor, FileDescriptor> socket_pair();

// An IPv4 TCP socket that listens on `host` ("127.0.0.1") at a free port. Throws SystemError.
FileDescriptor listen_tcp(const std::string& host);
std::uint16_t local_port(const FileDescriptor& socket);

// A connection to host:port with TCP_NODELAY. Throws SystemError when refused or not there by
// `deadline`.
FileDescriptor connect_tcp(const std::string& host, std::uint16_t port, TimePoint deadline);

// The same without waiting: a non-blocking socket on its way to host:port. It becomes writable when
// the outcome is there.
FileDescriptor start_connect_tcp(const std::string& host, std::uint16_t port);
// The outcome for a socket that has become writable: 0, or the errno of the failure.
int connect_outcome(const FileDescriptor& socket);

// A waiting connection of a listening socket, with TCP_NODELAY; empty when none came by `deadline`.
FileDescriptor accept_tcp(const FileDescriptor& listener, TimePoint deadline);

// Unix sockets of this host with message boundaries (SOCK_SEQPACKET) that have a name and no file:
// it is free again when the last one closes it. Throw SystemError, also when the name is taken.
FileDescriptor listen_local(const std::string& name);
// Tries until somebody listens, until `deadline`.
FileDescriptor connect_local(const std::string& name, TimePoint deadline);
// A waiting connection of a process of our user; empty when none came by `deadline`.
FileDescriptor accept_local(const FileDescriptor& listener, TimePoint deadline);
// The process that has made a connection.
pid_t peer_process(const FileDescriptor& connection);

void set_nonblocking(const FileDescriptor& file);

}  // namespace phalanx
