#pragma once

#include <cmath>
#include <string>

#include "../core/params.h"
#include "addon.h"

namespace mrope::binding {

/** A typed array as it lies; `present` is false for undefined and null. */
struct View {
  bool present = false;
  napi_typedarray_type type = napi_uint8_array;
  void *data = nullptr;
  int64_t length = 0;
  napi_value buffer = nullptr;
};

class Call;

/** What operations on a device take besides typed arrays. */
class DeviceArguments {
 public:
  virtual ~DeviceArguments() = default;
  /** Memory of the device, where argument i is a handle of it: its address for the host, and its length in elements. */
  virtual bool memory(Call &call, std::size_t i, const char *what, DType type, void *&data, int64_t &length) = 0;
  /** The table has its shape only; angles come instead of cosines and sines. */
  bool hasAngles = false;
};

/** The arguments of a call. The first error stays; later reads then give nothing. No JavaScript runs. */
class Call {
 public:
  static constexpr std::size_t most = 24;

  Call(napi_env env, napi_callback_info info, const char *name) : env(env), name_(name) {
    void *data = nullptr;
    napi_get_cb_info(env, info, &count_, args_, nullptr, &data);
    addon = static_cast<std::shared_ptr<Addon> *>(data);
    given_ = count_ < most ? count_ : most;
  }

  napi_env env;
  std::shared_ptr<Addon> *addon = nullptr;
  /** Null for operations in host memory. */
  DeviceArguments *device = nullptr;

  bool ok() const { return status_.ok(); }
  const Status &status() const { return status_; }
  void fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  const char *name() const { return name_; }
  /** How many arguments there are. */
  std::size_t given() const { return given_; }
  /** Undefined where it was not given. */
  napi_value arg(std::size_t i) const {
    napi_value value = i < given_ ? args_[i] : nullptr;
    if (!value) napi_get_undefined(env, &value);
    return value;
  }

  bool isObject(std::size_t i) const {
    napi_valuetype type = napi_undefined;
    return i < given_ && napi_typeof(env, args_[i], &type) == napi_ok && type == napi_object;
  }

  bool missing(std::size_t i) const {
    if (i >= given_) return true;
    napi_valuetype type = napi_undefined;
    napi_typeof(env, args_[i], &type);
    return type == napi_undefined || type == napi_null;
  }

  /** A typed array or nothing. */
  View view(std::size_t i, const char *what) {
    View view;
    if (!ok() || i >= given_) return view;
    std::size_t length = 0, offset = 0;
    if (napi_get_typedarray_info(env, args_[i], &view.type, &length, &view.data, &view.buffer, &offset) != napi_ok) {
      if (!missing(i)) fail(Status::type(code::argument, text(what, "must be a typed array")));
      return {};
    }
    view.present = true;
    view.length = int64_t(length);
    return view;
  }

  /** A typed array of a given kind; null where it is optional and missing. */
  template <class T>
  T *array(std::size_t i, const char *what, napi_typedarray_type type, int64_t length, bool optional = false,
           int64_t *found = nullptr) {
    const View v = view(i, what);
    if (found) *found = v.length;
    if (!ok() || (!v.present && optional)) return nullptr;
    if (!v.present || v.type != type) {
      fail(Status::type(code::argument, text(what, "has the wrong kind of array")));
      return nullptr;
    }
    if (length >= 0 && v.length != length) {
      fail(Status::range(code::shape, text(what, "needs ") + std::to_string(length) + " entries, it has " +
                                          std::to_string(v.length)));
      return nullptr;
    }
    // An empty array may have no memory; a null pointer means that there is no array.
    static T none{};
    return v.data ? static_cast<T *>(v.data) : &none;
  }

  /** The numbers of the call. */
  const double *params(std::size_t i, int count) {
    return array<const double>(i, "params", napi_float64_array, count);
  }

  int64_t whole(const double *params, int at) {
    if (!ok()) return 0;
    const double x = params[at];
    if (x >= -9007199254740991.0 && x <= 9007199254740991.0 && x == std::floor(x)) return int64_t(x);
    fail(Status::range(code::argument, text("params", "needs a whole number at place ") + std::to_string(at)));
    return 0;
  }

  DType dtype(const double *params, int at) {
    const int64_t type = whole(params, at);
    if (type >= 0 && type <= 2) return static_cast<DType>(type);
    fail(Status::type(code::dtype, text("params", "has an unknown storage type at place ") + std::to_string(at)));
    return DType::Float32;
  }

  /** A tensor whose memory has the length of its dims. */
  Tensor tensor(std::size_t i, const char *what, DType type, int64_t tokens, int64_t heads, int64_t dim);

  /** Memory of a storage type; its length goes to `length`. */
  void *storage(std::size_t i, const char *what, DType type, int64_t &length) {
    void *memory = nullptr;
    if (ok() && device && device->memory(*this, i, what, type, memory, length)) return memory;
    const View v = view(i, what);
    if (!ok()) return nullptr;
    // 11 is napi_float16_array, which older headers do not name.
    const bool fits = type == DType::Float32 ? v.type == napi_float32_array
                                             : v.type == napi_uint16_array || (type == DType::Float16 && int(v.type) == 11);
    if (!v.present || !fits) {
      fail(Status::type(code::dtype, text(what, type == DType::Float32 ? "must be a Float32Array"
                                                                        : "must be a Uint16Array of its bits")));
      return nullptr;
    }
    length = v.length;
    return v.data;
  }

  std::string text(const char *what, const char *rest) const {
    return std::string(name_) + ": " + what + " " + rest;
  }

 private:
  const char *name_;
  std::size_t count_ = most, given_ = 0;
  napi_value args_[most];
  Status status_;
};

}  // namespace mrope::binding
