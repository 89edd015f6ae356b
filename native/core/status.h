#pragma once

#include <string>
#include <utility>

namespace mrope {

/** Outcome of a check or of work: fine, or an error with a code of lib/errors.ts. */
class [[nodiscard]] Status {
 public:
  enum class Kind { Type, Range };

  Status() = default;

  static Status type(const char *code, std::string message) { return Status(Kind::Type, code, std::move(message)); }
  static Status range(const char *code, std::string message) { return Status(Kind::Range, code, std::move(message)); }

  bool ok() const { return code_ == nullptr; }
  Kind kind() const { return kind_; }
  const char *code() const { return code_; }
  const std::string &message() const { return message_; }

 private:
  Status(Kind kind, const char *code, std::string message) : kind_(kind), code_(code), message_(std::move(message)) {}

  Kind kind_ = Kind::Range;
  const char *code_ = nullptr;
  std::string message_;
};

namespace code {
inline constexpr const char *argument = "ERR_MROPE_ARGUMENT";
inline constexpr const char *shape = "ERR_MROPE_SHAPE";
inline constexpr const char *dtype = "ERR_MROPE_DTYPE";
inline constexpr const char *heads = "ERR_MROPE_HEADS";
inline constexpr const char *segment = "ERR_MROPE_SEGMENT";
inline constexpr const char *position = "ERR_MROPE_POSITION";
inline constexpr const char *capacity = "ERR_MROPE_CAPACITY";
inline constexpr const char *state = "ERR_MROPE_STATE";
inline constexpr const char *device = "ERR_MROPE_DEVICE";
inline constexpr const char *memory = "ERR_MROPE_MEMORY";
inline constexpr const char *compile = "ERR_MROPE_COMPILE";
}  // namespace code

/** Memory ran out: an error like any other, never an abort. */
inline Status outOfMemory(const char *caller, std::size_t bytes) {
  const std::string what = bytes == 0 ? "out of memory" : "no memory for " + std::to_string(bytes) + " bytes";
  return Status::range(code::memory, std::string(caller) + ": " + what);
}

}  // namespace mrope
