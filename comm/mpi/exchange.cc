#include "comm/mpi/exchange.h"

#include <fmt/format.h>

#include <algorithm>

#include "comm/ending.h"

namespace phalanx::comm {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 30;  // MPI counts in int

std::string text_of(int error) {
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(error, text, &length);
  return {text, static_cast<std::size_t>(length)};
}

void require(int error, int peer) {
  if (error != MPI_SUCCESS) throw Ending{CommError::Kind::kPeerDied, peer, text_of(error)};
}

// Calls post(offset, count) for parts that MPI can count. Nothing to send is a message as well.
template <typename Post>
void in_parts(std::size_t bytes, Post post) {
  std::size_t offset = 0;
  do {
    const std::size_t count = std::min(kMostBytes, bytes - offset);
    post(offset, count);
    offset += count;
  } while (offset < bytes);
}

}  // namespace

void Exchange::send(int peer, int tag, const std::byte* data, std::size_t bytes) {
  in_parts(bytes, [&](std::size_t offset, std::size_t count) {
    messages_.push_back({peer, count, false});
    require(MPI_Isend(data + offset, static_cast<int>(count), MPI_BYTE,
                      addresses_[static_cast<std::size_t>(peer)], tag, MPI_COMM_WORLD,
                      &requests_.emplace_back(MPI_REQUEST_NULL)),
            peer);
  });
}

void Exchange::receive(int peer, int tag, std::byte* data, std::size_t bytes) {
  in_parts(bytes, [&](std::size_t offset, std::size_t count) {
    messages_.push_back({peer, count, true});
    require(MPI_Irecv(data + offset, static_cast<int>(count), MPI_BYTE,
                      addresses_[static_cast<std::size_t>(peer)], tag, MPI_COMM_WORLD,
                      &requests_.emplace_back(MPI_REQUEST_NULL)),
            peer);
  });
}

bool Exchange::advance() {
  finished_.resize(requests_.size());
  statuses_.resize(requests_.size());
  int count = 0;
  const int error = MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &count,
                                 finished_.data(), statuses_.data());
  if (count == MPI_UNDEFINED) return true;
  if (error != MPI_SUCCESS && error != MPI_ERR_IN_STATUS) require(error, waits_for());
  for (int i = 0; i < count; ++i)
    look_at(static_cast<std::size_t>(finished_[static_cast<std::size_t>(i)]),
            statuses_[static_cast<std::size_t>(i)], error == MPI_ERR_IN_STATUS);
  if (count > 0) idle_since_ = Clock::now();
  return waits_for() < 0;
}

void Exchange::look_at(std::size_t index, const MPI_Status& status, bool failed) {
  const Message& message = messages_[index];
  int error_class = MPI_SUCCESS;
  if (failed) MPI_Error_class(status.MPI_ERROR, &error_class);
  if (error_class == MPI_ERR_TRUNCATE)
    throw Ending{CommError::Kind::kMismatch, message.peer,
                 fmt::format("expected {} bytes, found more", message.bytes)};
  if (error_class != MPI_SUCCESS) require(status.MPI_ERROR, message.peer);
  int found = 0;
  MPI_Get_count(&status, MPI_BYTE, &found);
  if (message.incoming && static_cast<std::size_t>(found) != message.bytes)
    throw Ending{CommError::Kind::kMismatch, message.peer,
                 fmt::format("expected {} bytes, found {}", message.bytes, found)};
}

int Exchange::waits_for() const {
  // Who has not spoken says more than who has not listened.
  int listener = -1;
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i] == MPI_REQUEST_NULL) continue;
    if (messages_[i].incoming) return messages_[i].peer;
    listener = messages_[i].peer;
  }
  return listener;
}

}  // namespace phalanx::comm
