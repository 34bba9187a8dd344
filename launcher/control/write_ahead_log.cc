#include "launcher/control/write_ahead_log.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstring>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

namespace phalanx::control {
namespace {

constexpr std::size_t kHeaderBytes = 12;

template <class T>
void put(std::string& bytes, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    bytes += static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
}

template <class T>
T get(std::string_view bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return value;
}

std::string encode(const Logged& record) {
  const std::string payload = record.SerializeAsString();
  std::string bytes;
  bytes.reserve(kHeaderBytes + payload.size());
  put(bytes, static_cast<std::uint32_t>(payload.size()));
  put(bytes, static_cast<std::uint64_t>(XXH3_64bits(payload.data(), payload.size())));
  return bytes += payload;
}

// The payload of the record at the front of `bytes`; empty when it is not whole.
std::optional<std::string_view> first_payload(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const auto length = get<std::uint32_t>(bytes);
  if (bytes.size() - kHeaderBytes < length) return std::nullopt;
  const std::string_view payload = bytes.substr(kHeaderBytes, length);
  if (XXH3_64bits(payload.data(), payload.size()) != get<std::uint64_t>(bytes.substr(4)))
    return std::nullopt;
  return payload;
}

}  // namespace

WriteAheadLog::WriteAheadLog(const std::filesystem::path& path,
                             const std::function<void(const Logged&)>& replay)
    : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)),
      path_(path.string()) {
  if (!file_) throw storage_error(path_ + ": open");
  const std::string content = read_file(path);
  std::string_view rest = content;
  while (const auto payload = first_payload(rest)) {
    Logged record;
    if (!record.ParseFromArray(payload->data(), static_cast<int>(payload->size()))) break;
    rest.remove_prefix(kHeaderBytes + payload->size());
    replay(record);
  }
  size_ = content.size() - rest.size();
  if (!rest.empty()) log::warn("{}: cut off {} bytes of a torn record", path_, rest.size());
  if (!rest.empty() && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0)
    throw storage_error(path_ + ": ftruncate");
}

void WriteAheadLog::append(const Logged& record) {
  waiting_ += encode(record);
  try {
    write_all(file_, waiting_, path_);
    size_ += waiting_.size();
    waiting_.clear();
    warned_ = false;
  } catch (const StorageError& error) {
    if (!warned_)
      log::warn("{}; decisions are kept in memory until it can be written", error.what());
    warned_ = true;
    if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0)
      log::warn("{}", describe_errno(path_ + ": ftruncate"));
  }
}

}  // namespace phalanx::control
