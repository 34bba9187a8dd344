#include "base/frame.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "base/memory_file.h"

namespace phalanx {
namespace {

// A packet is a tag and the payload, or a tag alone with the payload in a memory file, its first
// descriptor.
constexpr char kInline = 0;
constexpr char kInMemoryFile = 1;
constexpr std::size_t kMaxInlineBytes = 32u << 10;
constexpr off_t kMaxPayloadBytes = 256 << 20;
constexpr std::size_t kMaxDescriptors = 17;

std::vector<FileDescriptor> take_descriptors(msghdr& message) {
  std::vector<FileDescriptor> descriptors;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
  return descriptors;
}

// Read rather than mapped: a file that the sender cuts short must not kill the receiver.
std::string read_payload(const FileDescriptor& file) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw SystemError(describe_errno("fstat"));
  if (!S_ISREG(status.st_mode) || status.st_size > kMaxPayloadBytes)
    throw SystemError("frame: expected a memory file of at most 256 MiB, found another");
  std::string payload(static_cast<std::size_t>(status.st_size), '\0');
  const ssize_t count = ::pread(file.get(), payload.data(), payload.size(), 0);
  if (count != status.st_size) throw SystemError("frame: the payload's memory file was cut short");
  return payload;
}

}  // namespace

bool FrameChannel::send_packet(const std::string& payload, const std::vector<int>& descriptors,
                               int flags) {
  FileDescriptor memory;
  std::vector<int> attached;
  char tag = kInline;
  iovec parts[2] = {{&tag, 1}, {const_cast<char*>(payload.data()), payload.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  // An empty payload has no bytes to put into a memory file.
  if (payload.size() > kMaxInlineBytes) {
    tag = kInMemoryFile;
    memory = create_memory_file("phalanx-frame", payload.size());
    const MemoryMapping mapping(memory);
    std::memcpy(mapping.bytes().data(), payload.data(), payload.size());
    attached.push_back(memory.get());
    message.msg_iovlen = 1;
  }
  attached.insert(attached.end(), descriptors.begin(), descriptors.end());
  check(attached.size() <= kMaxDescriptors, "a frame carries at most 16 descriptors");

  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))] = {};
  if (!attached.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(attached.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(attached.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), attached.data(), attached.size() * sizeof(int));
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | flags);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

bool FrameChannel::send(const std::string& payload, const std::vector<int>& descriptors) {
  return send_packet(payload, descriptors, 0);
}

bool FrameChannel::try_send(const std::string& payload, const std::vector<int>& descriptors) {
  return send_packet(payload, descriptors, MSG_DONTWAIT);
}

FrameChannel::Status FrameChannel::receive(Frame& frame, TimePoint deadline) {
  pollfd entry{socket_.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&entry, 1, poll_timeout(deadline));
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) throw SystemError(describe_errno("poll"));
  if (ready == 0) return Status::kNothingYet;

  std::string bytes(1 + kMaxInlineBytes, '\0');
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t count = 0;
  do {
    count = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    // ECONNRESET: the peer went without reading all we sent. What it sent before is still there.
  } while (count < 0 && (errno == EINTR || errno == ECONNRESET));
  if (count < 0 && errno == EAGAIN) return Status::kNothingYet;
  if (count <= 0) return Status::kEnd;

  frame.descriptors = take_descriptors(message);
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    throw SystemError("frame: expected a packet of at most 32 KiB and 17 descriptors, found more");
  if (bytes[0] == kInMemoryFile) {
    if (frame.descriptors.empty())
      throw SystemError("frame: expected a memory file with the payload, found none");
    frame.payload = read_payload(frame.descriptors.front());
    frame.descriptors.erase(frame.descriptors.begin());
  } else {
    frame.payload = bytes.substr(1, static_cast<std::size_t>(count) - 1);
  }
  return Status::kFrame;
}

}  // namespace phalanx
