#include "addon.h"

namespace mrope::binding {

napi_value errorOf(napi_env env, const Status &status) {
  napi_value code = nullptr, message = nullptr, error = nullptr;
  napi_create_string_utf8(env, status.code(), NAPI_AUTO_LENGTH, &code);
  napi_create_string_utf8(env, status.message().c_str(), status.message().size(), &message);
  if (status.kind() == Status::Kind::Type) {
    napi_create_type_error(env, code, message, &error);
  } else {
    napi_create_range_error(env, code, message, &error);
  }
  return error;
}

void throwStatus(napi_env env, const Status &status) {
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) != napi_ok || pending) return;
  if (napi_value error = errorOf(env, status)) napi_throw(env, error);
}

}  // namespace mrope::binding
