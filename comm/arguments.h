#pragma once

#include <span>

#include "comm/group.h"

namespace phalanx::comm {

// What Group asks of whoever calls its operations, the same for every backend: a call that breaks
// it stops the process.
void check_reduce_scatter(const Group& group, const ConstBuffer& data, const Buffer& result);
void check_all_gather(const Group& group, const ConstBuffer& data, const Buffer& result);
void check_broadcast(const Group& group, int root);
void check_gather(const Group& group, const ConstBuffer& data, const Buffer& result, int root);
void check_scatter(const Group& group, const ConstBuffer& data, const Buffer& result, int root);
void check_all_to_all(const Group& group, const ConstBuffer& data,
                      std::span<const std::size_t> send_counts, const Buffer& result,
                      std::span<const std::size_t> receive_counts);
void check_send(const Group& group, int peer);
void check_receive(const Group& group, int peer);

}  // namespace phalanx::comm
