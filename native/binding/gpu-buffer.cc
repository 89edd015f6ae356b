#include <cstring>

#include "gpu-operations.h"
#include "gpu.h"

namespace mrope::binding {
namespace {

constexpr napi_type_tag bufferTag = {0x6d726f70652d6770, 0x752d627566666572};

/** What a handle holds, and how much of it the engine was told of. */
struct Held {
  Window window;
  int64_t told = 0;
};

Held *heldBy(const Call &call, std::size_t i) {
  bool is = false;
  void *data = nullptr;
  if (!call.isObject(i)) return nullptr;
  const napi_value value = call.arg(i);
  if (napi_check_object_type_tag(call.env, value, &bufferTag, &is) != napi_ok || !is) return nullptr;
  return napi_unwrap(call.env, value, &data) == napi_ok ? static_cast<Held *>(data) : nullptr;
}

void giveUp(napi_env env, Held &held) {
  adjustMemory(env, -held.told);
  held = {};
}

napi_value handleOf(napi_env env, Window window, int64_t told) {
  napi_value handle = nullptr;
  if (napi_create_object(env, &handle) != napi_ok) return nullptr;
  auto held = std::make_unique<Held>(Held{std::move(window), told});
  const auto drop = [](napi_env env, void *data, void *) {
    const std::unique_ptr<Held> held(static_cast<Held *>(data));
    giveUp(env, *held);
  };
  if (napi_wrap(env, handle, held.get(), drop, nullptr, nullptr) != napi_ok) return nullptr;
  (void)held.release();
  napi_type_tag_object(env, handle, &bufferTag);
  adjustMemory(env, told);
  return handle;
}

/** A count of bytes. */
size_t bytesOf(Call &call, std::size_t i, const char *what) {
  double bytes = -1;
  napi_get_value_double(call.env, call.arg(i), &bytes);
  if (bytes >= 0 && bytes <= 9007199254740991.0 && bytes == std::floor(bytes)) return size_t(bytes);
  call.fail(Status::range(code::argument, call.text(what, "must be a number of bytes")));
  return 0;
}

void checkRange(Call &call, size_t offset, size_t bytes, size_t whole) {
  if (!call.ok() || (offset <= whole && bytes <= whole - offset)) return;
  call.fail(Status::range(code::shape, call.text("the buffer", "has ") + std::to_string(whole) + " bytes, not " +
                                           std::to_string(offset) + " … " + std::to_string(offset + bytes)));
}

/** A copy between a window and an array of JavaScript. */
class CopyWork : public Job {
 public:
  gpu::BufferRef buffer;
  void *device = nullptr, *array = nullptr;
  size_t bytes = 0;
  bool toDevice = false;

  cpu::Outcome run(const cpu::Run &run) override {
    if (run.abort && run.abort->load(std::memory_order_relaxed)) return cpu::Outcome::Aborted;
    if (bytes) std::memcpy(toDevice ? device : array, toDevice ? array : device, bytes);
    return cpu::Outcome::Done;
  }
};

/** (buffer, array, abort): the array is of the length of the window. */
napi_value copy(Call &call, bool toDevice) {
  auto work = std::make_unique<CopyWork>();
  const Window *window = windowOf(call, 0, "buffer");
  const View view = call.view(1, "array");
  if (call.ok() && (!view.present || (view.type != napi_float32_array && view.type != napi_uint16_array))) {
    call.fail(Status::type(code::dtype, call.text("array", "must be a Float32Array or a Uint16Array")));
  }
  const size_t bytes = size_t(view.length) * (view.type == napi_float32_array ? 4 : 2);
  if (call.ok() && bytes != window->bytes) {
    call.fail(Status::range(code::shape, call.text("array", "has ") + std::to_string(bytes) +
                                             " bytes, the buffer has " + std::to_string(window->bytes)));
  }
  if (call.ok()) {
    work->buffer = window->buffer;
    work->device = static_cast<char *>(window->buffer->host()) + window->offset;
    work->array = view.data;
    work->bytes = bytes;
    work->toDevice = toDevice;
  }
  return runLater(call, std::move(work), 2);
}

}  // namespace

void adjustMemory(napi_env env, int64_t change) {
  int64_t now = 0;
  if (change != 0) napi_adjust_external_memory(env, change, &now);
}

bool isWindow(const Call &call, std::size_t i) { return heldBy(call, i) != nullptr; }

Window *windowOf(Call &call, std::size_t i, const char *what) {
  if (!call.ok()) return nullptr;
  Held *held = heldBy(call, i);
  if (!held) {
    call.fail(Status::type(code::argument, call.text(what, "must be a handle of device memory")));
  } else if (!held->window.buffer) {
    call.fail(Status::range(code::state, call.text(what, "is a tensor that was disposed")));
  }
  return call.ok() ? &held->window : nullptr;
}

bool GpuArguments::memory(Call &call, std::size_t i, const char *what, DType type, void *&data, int64_t &length) {
  if (!isWindow(call, i)) return false;
  const Window *window = windowOf(call, i, what);
  length = 0;
  if (!window) return true;
  if (window->device != device_) {
    call.fail(Status::range(code::device, call.text(what, "is in the memory of another device")));
    return true;
  }
  const size_t size = size_t(mrope::bytesOf(type));
  length = int64_t(window->bytes / size);
  data = static_cast<char *>(window->buffer->host()) + window->offset;
  windows_.push_back(*window);
  return true;
}

const Window *GpuArguments::find(const void *data) const {
  for (const Window &window : windows_) {
    if (static_cast<char *>(window.buffer->host()) + window.offset == data) return &window;
  }
  return nullptr;
}

napi_value gpuAllocate(Call &call) {
  Window window;
  window.device = deviceOf(call, 0);
  window.bytes = bytesOf(call, 1, "bytes");
  if (call.ok()) call.fail(window.device->allocate(window.bytes, window.buffer));
  if (!call.ok()) return throwStatus(call.env, call.status()), nullptr;
  // Metal documents that it clears new buffers; what may have been another process's is not left to that.
  bool written = false;
  napi_get_value_bool(call.env, call.arg(2), &written);
  if (!written) std::memset(window.buffer->host(), 0, window.bytes);
  const int64_t told = int64_t(window.bytes);
  return handleOf(call.env, std::move(window), told);
}

napi_value gpuAdopt(Call &call) {
  Window window;
  window.device = deviceOf(call, 0);
  uint64_t pointer = 0;
  bool lossless = false;
  if (call.ok() && (napi_get_value_bigint_uint64(call.env, call.arg(1), &pointer, &lossless) != napi_ok || !lossless)) {
    call.fail(Status::type(code::argument, call.text("handle", "must be the handle of an MTLBuffer, a BigInt")));
  }
  window.offset = bytesOf(call, 2, "offset");
  window.bytes = bytesOf(call, 3, "bytes");
  if (call.ok()) call.fail(window.device->adopt(pointer, window.buffer));
  if (call.ok()) checkRange(call, window.offset, window.bytes, window.buffer->bytes());
  if (call.ok() && !window.buffer->host()) {
    call.fail(Status::range(code::device, call.text("the MTLBuffer", "is in private storage; it must be shared")));
  }
  if (!call.ok()) return throwStatus(call.env, call.status()), nullptr;
  return handleOf(call.env, std::move(window), 0);
}

napi_value gpuWindow(Call &call) {
  const Window *whole = windowOf(call, 0, "buffer");
  const size_t offset = bytesOf(call, 1, "offset"), bytes = bytesOf(call, 2, "bytes");
  if (call.ok()) checkRange(call, offset, bytes, whole->bytes);
  if (!call.ok()) return throwStatus(call.env, call.status()), nullptr;
  return handleOf(call.env, {whole->device, whole->buffer, whole->offset + offset, bytes}, 0);
}

napi_value gpuHandle(Call &call) {
  napi_value value = nullptr;
  if (const Window *window = windowOf(call, 0, "buffer")) {
    napi_create_bigint_uint64(call.env, window->device->handleOf(*window->buffer), &value);
  } else {
    throwStatus(call.env, call.status());
  }
  return value;
}

napi_value gpuWrite(Call &call) { return copy(call, true); }

napi_value gpuRead(Call &call) { return copy(call, false); }

napi_value gpuFree(Call &call) {
  if (Held *held = heldBy(call, 0)) {
    giveUp(call.env, *held);
  } else {
    throwStatus(call.env, Status::type(code::argument, call.text("buffer", "must be a handle of device memory")));
  }
  return nullptr;
}

}  // namespace mrope::binding
