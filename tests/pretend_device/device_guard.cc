#include "tests/pretend_device/device_guard.h"

#include "tests/pretend_device/device_allocator.h"
#include "tests/pretend_device/device_memory.h"
#include "tests/pretend_device/host_waits.h"
#include "tests/pretend_device/operators.h"
#include "tests/pretend_device/pretend_device.h"

namespace phalanx::pretend {
namespace {

using c10::Device;
using c10::DeviceIndex;
using c10::Stream;

class Guard final : public c10::impl::DeviceGuardImplInterface {
 public:
  c10::DeviceType type() const override { return kPretend; }
  DeviceIndex deviceCount() const noexcept override { return 1; }
  Device getDevice() const override { return kDevice; }
  Device exchangeDevice(Device device) const override {
    setDevice(device);
    return kDevice;
  }
  void setDevice(Device device) const override {
    TORCH_CHECK(device.type() == kPretend && device.index() <= 0, "no device ", device);
  }
  void uncheckedSetDevice(Device) const noexcept override {}

  Stream getStream(Device) const override { return Stream(Stream::DEFAULT, kDevice); }
  Stream getDefaultStream(Device) const override { return Stream(Stream::DEFAULT, kDevice); }
  Stream getNewStream(Device, int) const override { return Stream(Stream::DEFAULT, kDevice); }
  Stream getStreamFromGlobalPool(Device, bool) const override {
    return Stream(Stream::DEFAULT, kDevice);
  }
  Stream exchangeStream(Stream) const override { return Stream(Stream::DEFAULT, kDevice); }
  void* getStreamNativeHandle(Stream) const override { return nullptr; }

  void record(void** event, const Stream&, DeviceIndex, c10::EventFlag) const override {
    static char recorded;
    *event = &recorded;
  }
  void block(void*, const Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  bool queryStream(const Stream&) const override { return true; }
  void synchronizeStream(const Stream&) const override { ++host_waits().synchronizations; }
  void synchronizeEvent(void*) const override { ++host_waits().synchronizations; }
  void synchronizeDevice(DeviceIndex) const override { ++host_waits().synchronizations; }
};

class Hooks final : public at::PrivateUse1HooksInterface {
 public:
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  DeviceIndex deviceCount() const override { return 1; }
  DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(DeviceIndex) const override {}
  DeviceIndex exchangeDevice(DeviceIndex) const override { return 0; }
  DeviceIndex maybeExchangeDevice(DeviceIndex) const override { return 0; }

  Device getDeviceFromPtr(void* data) const override {
    TORCH_CHECK(on_device(data), "expected memory on ", kDevice, ", found that of the host");
    return kDevice;
  }
  bool isPinnedPtr(const void* data) const override { return is_pinned(data); }
  at::Allocator* getPinnedMemoryAllocator() const override { return &pinned_allocator(); }
  void resizePrivateUse1Bytes(const c10::Storage& storage, std::size_t bytes) const override {
    resize_storage(*storage.unsafeGetStorageImpl(), bytes);
  }
};

}  // namespace

const c10::impl::DeviceGuardImplInterface& device_guard() {
  static auto* const guard = new Guard;
  return *guard;
}

at::PrivateUse1HooksInterface& device_hooks() {
  static auto* const hooks = new Hooks;
  return *hooks;
}

}  // namespace phalanx::pretend
