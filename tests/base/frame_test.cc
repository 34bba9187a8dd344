#include "base/frame.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "base/error.h"
#include "base/memory_file.h"
#include "base/socket.h"

namespace phalanx {
namespace {

TimePoint soon() { return Clock::now() + std::chrono::seconds(20); }

TEST(FrameChannel, CarriesPayloadsOfEverySizeWhole) {
  auto [a, b] = socket_pair();
  FrameChannel sender(std::move(a)), receiver(std::move(b));
  for (const std::size_t size : {0u, 1u, 32768u, 32769u, 5000000u}) {
    const std::string payload(size, 'x');
    std::jthread thread([&] { EXPECT_TRUE(sender.send(payload)); });
    Frame frame;
    ASSERT_EQ(receiver.receive(frame, soon()), FrameChannel::Status::kFrame);
    EXPECT_EQ(frame.payload, payload) << size;
    EXPECT_TRUE(frame.descriptors.empty());
  }
}

TEST(FrameChannel, CarriesDescriptorsWithTheirOwnFrame) {
  auto [a, b] = socket_pair();
  FrameChannel sender(std::move(a)), receiver(std::move(b));
  const auto memory = create_memory_file("test", 4096);
  MemoryMapping(memory).bytes()[7] = std::byte{42};
  ASSERT_TRUE(sender.send("none"));
  ASSERT_TRUE(sender.send(std::string(100000, 'y'), {memory.get()}));
  Frame frame;
  ASSERT_EQ(receiver.receive(frame, soon()), FrameChannel::Status::kFrame);
  EXPECT_TRUE(frame.descriptors.empty());
  ASSERT_EQ(receiver.receive(frame, soon()), FrameChannel::Status::kFrame);
  ASSERT_EQ(frame.descriptors.size(), 1u);
  EXPECT_EQ(frame.payload.size(), 100000u);
  EXPECT_EQ(MemoryMapping(frame.descriptors[0]).bytes()[7], std::byte{42});
}

TEST(FrameChannel, ReportsThatThePeerHasGone) {
  auto [a, b] = socket_pair();
  FrameChannel sender(std::move(a)), receiver(std::move(b));
  ASSERT_TRUE(sender.send("last"));
  sender.close();
  Frame frame;
  EXPECT_EQ(receiver.receive(frame, soon()), FrameChannel::Status::kFrame);
  EXPECT_EQ(receiver.receive(frame, soon()), FrameChannel::Status::kEnd);
  EXPECT_FALSE(receiver.send("to nobody"));
}

// What a process said last must not be lost because it died with something unread.
TEST(FrameChannel, KeepsTheLastWordsOfAPeerThatDidNotReadEverything) {
  auto [a, b] = socket_pair();
  FrameChannel sender(std::move(a)), receiver(std::move(b));
  ASSERT_TRUE(receiver.send("never read"));
  ASSERT_TRUE(sender.send("last words"));
  sender.close();
  Frame frame;
  ASSERT_EQ(receiver.receive(frame, soon()), FrameChannel::Status::kFrame);
  EXPECT_EQ(frame.payload, "last words");
  EXPECT_EQ(receiver.receive(frame, soon()), FrameChannel::Status::kEnd);
}

TEST(FrameChannel, RefusesAPacketThatIsNoFrame) {
  auto [a, b] = socket_pair();
  FrameChannel receiver(std::move(b));
  Frame frame;
  ASSERT_EQ(::send(a.get(), "\1", 1, 0), 1);  // announces a memory file, brings none
  EXPECT_THROW(receiver.receive(frame, soon()), SystemError);
  const std::string long_packet(60000, 'x');
  ASSERT_EQ(::send(a.get(), long_packet.data(), long_packet.size(), 0), 60000);
  EXPECT_THROW(receiver.receive(frame, soon()), SystemError);
}

TEST(FrameChannel, GivesUpAtTheDeadline) {
  auto [a, b] = socket_pair();
  FrameChannel receiver(std::move(b));
  Frame frame;
  EXPECT_EQ(receiver.receive(frame, Clock::now()), FrameChannel::Status::kNothingYet);
}

}  // namespace
}  // namespace phalanx
